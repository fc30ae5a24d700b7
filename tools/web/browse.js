// A page in a browser: opened in every way a reader may have it, and looked at.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

import * as look from './look.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');

/** WCAG 2.2 AA, and what those who made the checker hold to be good. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const WIDTHS = [360, 1440];
const SCHEMES = ['light', 'dark'];

const LAYOUT = [look.sidewaysScroll, look.chartTexts, look.wordsInBoxes];

/** The width of an A4 page without its margins. */
const PAPER_WIDTH = 680;

/** Everything that a page loads may come to so many bytes, if it is the report of a day. */
const DAY_BYTES = 150_000;

export function openBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

/** Opens an address and notes what it loads, and whatever goes wrong by that. */
export async function open(context, address) {
  const page = await context.newPage();
  const problems = [];
  const bodies = [];
  const home = new URL(address);
  page.on('console', (message) => {
    // That there is no such page is what the page says.
    if (message.location().url === address && /status of 404/.test(message.text())) return;
    if (['error', 'warning'].includes(message.type())) problems.push(`the console says: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => problems.push(`a script failed: ${error.message}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    const isOwn = url.protocol === home.protocol && url.host === home.host;
    if (!isOwn && !['data:', 'blob:', 'about:'].includes(url.protocol)) problems.push(`it asks ${url.href}`);
  });
  page.on('requestfailed', (request) => problems.push(`${request.url()} did not load: ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.status() >= 400 && response.url() !== address) {
      problems.push(`${response.url()} answers ${response.status()}`);
    }
    bodies.push(response.body().then((body) => body.length, () => 0));
  });
  await page.goto(address, { waitUntil: 'load' });
  await page.evaluate(() => document.fonts.ready.then(() => null));
  // Not to be waited for where something streams: that has no end.
  return { page, problems, weight: async () => (await Promise.all(bodies)).reduce((sum, size) => sum + size, 0) };
}

/** What axe finds, a line for each kind of thing. */
export async function axe(page, rules = { type: 'tag', values: RULES }) {
  await page.evaluate(AXE);
  // It reads no style sheets by itself, which it could not do in a folder.
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run({ runOnly, resultTypes: ['violations'], preload: false }), rules);
  return violations.map(({ id, help, nodes }) => {
    const { html, failureSummary } = nodes[0];
    return `${id}: ${help}: ${nodes.length} times, first ${html.slice(0, 160)} (${failureSummary.replace(/\s+/g, ' ').slice(0, 240)})`;
  });
}

const prefixed = (prefix, problems) => problems.map((problem) => `${prefix}: ${problem}`);

/** Looks at a page at every width, in both schemes, and says what is wrong; answers what it points to. */
export async function lookAt(browser, address, name, results, { isDay = false, isRunning = false } = {}) {
  const found = { load: [], access: [], layout: [] };
  let links = [];
  // Both schemes at a time.
  for (const width of WIDTHS) {
    const inScheme = async (colorScheme) => {
      const view = `${width} px, ${colorScheme}`;
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce' });
      const { page, problems, weight } = await open(context, address);
      if (isRunning) await page.waitForTimeout(1_500);
      links = await page.evaluate(look.links);
      if (!isRunning) problems.push(...(await page.evaluate(look.ownFace)));
      const size = isDay ? await weight() : 0;
      if (size > DAY_BYTES) problems.push(`it and what it loads are ${size} bytes`);
      found.load.push(...prefixed(view, problems));
      for (const state of [view, `${view}, unfolded`]) {
        for (const each of LAYOUT) found.layout.push(...prefixed(state, await page.evaluate(each)));
        await page.evaluate(look.unfold);
      }
      found.access.push(...prefixed(view, await axe(page)));
      await context.close();
    };
    await Promise.all(SCHEMES.map(inScheme));
  }
  results.say(`${name}: loads without errors, and only what is its own`, found.load);
  results.say(`${name}: axe finds nothing, at 360 and 1440 px, light and dark`, found.access);
  results.say(`${name}: nothing is cut, overlaps or scrolls sideways`, found.layout);
  return links;
}

/** Opens a page that others wrote: it must load, from here alone. */
export async function opens(browser, address, name, results) {
  const context = await browser.newContext();
  const { page, problems } = await open(context, address);
  await page.waitForTimeout(1_500);
  if ((await page.innerText('body')).length < 200) problems.push('it shows nothing');
  await context.close();
  results.say(`${name}: loads without errors, and only what is its own`, problems);
}

/** Looks at a page as it comes out of a printer. */
export async function print(browser, address, name, results) {
  const problems = [];
  const colours = [];
  for (const colorScheme of SCHEMES) {
    const context = await browser.newContext({ viewport: { width: PAPER_WIDTH, height: 960 }, colorScheme });
    const { page } = await open(context, address);
    await page.emulateMedia({ media: 'print', colorScheme });
    for (const each of [...LAYOUT, look.onPaper]) problems.push(...(await page.evaluate(each)));
    colours.push(await page.evaluate(look.colours));
    problems.push(...(await axe(page, { type: 'rule', values: ['color-contrast'] })));
    await context.close();
  }
  const [light, dark] = colours;
  const differing = light.findIndex((line, place) => line !== dark[place]);
  if (differing >= 0) problems.push(`who reads it dark, prints it so: ${dark[differing]} instead of ${light[differing]}`);
  results.say(`${name}: prints in light colours, with all tables and no controls`, problems);
}

/** Looks at a page whose scripts do not run: it must say the same. */
export async function withoutScripts(browser, address, name, results) {
  const texts = [];
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled });
    const { page } = await open(context, address);
    texts.push(await page.evaluate(look.words));
    await context.close();
  }
  const [scripted, plain] = texts;
  const problems = plain.length < 40 ? [`it says only “${plain}”`] : [];
  if (scripted !== plain) problems.push('it says something else than with them');
  results.say(`${name}: is complete without JavaScript`, problems);
}

/** Opens a page from a folder. */
export async function fromFile(browser, address, name, results) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 800 } });
  const { page, problems } = await open(context, address);
  problems.push(...(await page.evaluate(look.ownFace)));
  problems.push(...(await page.evaluate(look.sidewaysScroll)));
  problems.push(...(await axe(page)));
  await context.close();
  results.say(`${name}: opens from a folder as well`, problems);
}
