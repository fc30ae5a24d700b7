// What is looked for in a page as it stands in the browser. Each function here runs there, and answers what is wrong.

/** The page must not scroll sideways. */
export function sidewaysScroll() {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`it is ${scrollWidth} px wide in a window of ${clientWidth} px`] : [];
}

/** Texts of a chart stay on its sheet and off each other. */
export function chartTexts() {
  const problems = [];
  const box = (element) => element.getBoundingClientRect();
  for (const chart of document.querySelectorAll('svg.chart')) {
    if (box(chart).width === 0) continue;
    const name = chart.getAttribute('aria-labelledby').split(' ')[0];
    const sheet = box(chart);
    const texts = [...chart.querySelectorAll('text')].map((text) => ({ words: text.textContent, at: box(text) }));
    for (const [place, { words, at }] of texts.entries()) {
      const isCut =
        at.left < sheet.left - 1 || at.right > sheet.right + 1 || at.top < sheet.top - 1 || at.bottom > sheet.bottom + 1;
      if (isCut) problems.push(`${name}: “${words}” is not within the chart`);
      for (const other of texts.slice(place + 1)) {
        // Boxes have room above and below the letters; a pixel at the side is a space.
        const room = 0.22 * Math.min(at.height, other.at.height);
        const isOver =
          at.left < other.at.right - 0.5 &&
          other.at.left < at.right - 0.5 &&
          at.top + room < other.at.bottom - room &&
          other.at.top + room < at.bottom - room;
        if (isOver) problems.push(`${name}: “${words}” and “${other.words}” overlap`);
      }
    }
  }
  return problems;
}

/** No words leave the box that they are in, unless that can be scrolled, and none are cut off. */
export function wordsInBoxes() {
  const problems = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const text = words.currentNode;
    const element = text.parentElement;
    // What is folded away has places of its own making.
    if (!text.data.trim() || !element.checkVisibility() || element.closest('svg, script, style, .hidden, .unseen, .skip, .scroll, pre')) continue;
    const box = element.closest('.card, .tile, .wide-figures > div, .banner, .button, .top, .bottom, main, body').getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const line of range.getClientRects()) {
      if (line.width === 0) continue;
      if (line.left < box.left - 0.5 || line.right > box.right + 0.5 || line.bottom > box.bottom + 0.5) {
        problems.push(`“${text.data.trim().slice(0, 60)}” leaves its box`);
      }
    }
    for (let around = element; around !== document.body; around = around.parentElement) {
      const { overflowX, display } = getComputedStyle(around);
      const canCut = display !== 'inline' && /hidden|clip/.test(overflowX);
      if (canCut && around.scrollWidth > around.clientWidth + 1) {
        problems.push(`“${text.data.trim().slice(0, 60)}” is cut off`);
      }
    }
  }
  // A sparkline stands beside its figure's label, never on it.
  for (const tile of document.querySelectorAll('.tile')) {
    const spark = tile.querySelector('.tile-spark svg')?.getBoundingClientRect();
    if (!spark?.width) continue;
    for (const text of tile.querySelectorAll('.tile-label, .tile-number')) {
      const range = document.createRange();
      range.selectNodeContents(text);
      const at = range.getBoundingClientRect();
      const isOver =
        at.right > spark.left && at.left < spark.right && at.bottom - 6 > spark.top && at.top + 6 < spark.bottom;
      if (isOver) problems.push(`the sparkline of “${text.textContent}” is over it`);
    }
  }
  return problems;
}

/** Whether text is set in the page's own face. */
export async function ownFace() {
  await document.fonts.ready;
  const faces = [...document.fonts].map((face) => `${face.family} ${face.status}`);
  return faces.length > 0 && faces.every((face) => face === 'Inter loaded') ? [] : [`faces: ${faces.join(', ') || 'none'}`];
}

/** Opens whatever is folded. */
export function unfold() {
  document.querySelectorAll('details').forEach((details) => (details.open = true));
}

/** On paper everything is unfolded, in light colours, and what only a screen has use for is gone. */
export function onPaper() {
  const problems = [];
  const isShown = (element) => element.checkVisibility();
  for (const table of document.querySelectorAll('details table')) {
    if (!isShown(table)) problems.push(`the table “${table.caption?.textContent}” is folded away`);
  }
  for (const control of document.querySelectorAll('nav, .button, .find')) {
    if (isShown(control)) problems.push(`“${control.textContent.trim().slice(0, 60)}” is of no use on paper`);
  }
  return problems;
}

/** The colours of everything, to compare. */
export function colours() {
  return [...document.querySelectorAll('body, body *')].map((element) => {
    const { color, backgroundColor, borderTopColor, fill, stroke } = getComputedStyle(element);
    const name = `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''}`;
    return `${name}: ${[color, backgroundColor, borderTopColor, fill, stroke].join(' ')}`;
  });
}

/** The words of the page, without what only works with scripts. */
export function words() {
  const unscripted = (element) => element.matches('.find');
  const main = document.querySelector('main');
  const shown = [...main.children].filter((element) => !unscripted(element));
  return shown.map((element) => element.innerText).join('\n');
}

/** Whatever the page points to, as whole addresses. */
export function links() {
  const pointing = [...document.querySelectorAll('[href], [src], [action]')];
  return pointing
    .filter((element) => !element.closest('svg'))
    .map((element) => element.href || element.src || element.action)
    .filter((address) => typeof address === 'string');
}
