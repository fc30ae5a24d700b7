// Looks at report sites and at the server's pages as their readers do: in a browser, at the widths of a phone and of a desk,
// light, dark and on paper, with scripts and without, from a server and from a folder.
//
//   node check.js PROGRAM FOLDER [samples|recorded|server|rides]…    # FOLDER/samples is the site of the sample days
//
// tools/test-web gives it all of these.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { fromFile, lookAt, openBrowser, opens, print, withoutScripts } from './browse.js';
import { brokenLinks, linksOfSheets, linksOfXml, markupErrors, pdfErrors, wrongFiles } from './files.js';
import { Results } from './results.js';
import { checkRides } from './rides.js';
import { filesBelow, publishSample, serveFolder, serveProgram } from './sites.js';

/** Everything about a site that is a folder. */
async function checkSite(browser, results, name, folder) {
  const { root, close } = await serveFolder(folder);
  const pages = filesBelow(folder).filter((file) => file.endsWith('.html'));
  const linksOf = linksOfSheets(folder, root);
  for (const page of pages) {
    const called = `${name} ${page.replace(/\/?index\.html$/, '') || 'index'}`;
    linksOf.push([page, await lookAt(browser, root + page, called, results, { isDay: page.startsWith('daily/') })]);
    await print(browser, root + page, called, results);
    await withoutScripts(browser, root + page, called, results);
    await fromFile(browser, pathToFileURL(join(folder, page)).href, called, results);
  }
  const problems = [];
  const blank = await browser.newPage();
  linksOf.push(...(await linksOfXml(blank, folder, root, problems)));
  await blank.close();
  results.say(`${name}: feed and map are well-formed`, problems);
  results.say(`${name}: no link is broken, and each file is linked`, brokenLinks(folder, root, linksOf));
  results.say(`${name}: each file is what its name says`, wrongFiles(folder));
  results.say(`${name}: qpdf finds the PDFs sound, and each leads to its page`, await pdfErrors(folder));
  const errors = await markupErrors(pages.map((page) => join(folder, page)));
  results.say(`${name}: the Nu checker finds the HTML valid`, errors.map((error) => error.replace(folder, '')));
  close();
}

/** The last address on a page that begins in a certain way. */
async function lastLink(root, page, start) {
  const text = await (await fetch(root + page)).text();
  const found = [...text.matchAll(new RegExp(`href="(${start}[^"]+)"`, 'g'))].at(-1);
  if (!found) throw new Error(`${page} has no link that begins with ${start}`);
  return found[1];
}

/** The server's own pages. */
async function checkServer(browser, results, program, folder) {
  const { root, close } = await serveProgram(program, folder);
  try {
    const mail = await lastLink(root, '/outbox', '/outbox/');
    const ran = await lastLink(root, '/jobs', '/jobs/report/');
    const ridden = await lastLink(root, '/recent?hours=72', '/ride/');
    const pages = ['/', '/live', '/recent', '/recent?hours=1&gender=other', ridden, '/jobs', ran, '/jobs/report/2025-01-01', '/outbox', mail, '/jobs/no-such-job/2025-01-01', '/login', '/unsubscribe/no-such-word', '/no-such-page', '/problems/not-found'];
    await opens(browser, `${root}/docs/`, 'server /docs/', results);
    const links = new Set();
    const saved = join(folder, 'pages');
    mkdirSync(saved);
    for (const [place, page] of pages.entries()) {
      const called = `server ${page.replace(/[0-9a-f-]{36}/, '…')}`;
      const found = await lookAt(browser, root + page, called, results, { isRunning: true });
      found.forEach((link) => links.add(link.split('#')[0]));
      const answer = await fetch(root + page, { headers: { accept: 'text/html' } });
      writeFileSync(join(saved, `${place}.html`), await answer.text());
    }
    const broken = [];
    // Pages that are looked at link to themselves, also the one that is not there.
    for (const link of links) {
      if (pages.includes(link.slice(root.length))) continue;
      if (!link.startsWith(root)) broken.push(`${link} leads away`);
      else {
        const { status } = await fetch(link, { headers: { accept: 'text/html' } });
        if (status >= 400) broken.push(`${link} answers ${status}`);
      }
    }
    results.say(`server: no link is broken (${links.size} followed)`, broken);
    const errors = await markupErrors(pages.map((_, place) => join(saved, `${place}.html`)));
    const named = errors.map((error) => error.replace(/.*pages\/(\d+)\.html/, (_, place) => pages[place]));
    results.say('server: the Nu checker finds the HTML valid', named);
    await checkSite(browser, results, 'server’s site', join(folder, 'site'));
  } finally {
    await close();
  }
}

const CHECKS = {
  samples: (...those) => checkSite(...those, 'samples', join(folder, 'samples')),
  recorded: async (...those) => checkSite(...those, 'recorded', await publishSample(program, join(folder, 'recorded'))),
  server: (...those) => checkServer(...those, program, join(folder, 'server')),
  rides: (...those) => checkRides(...those, program, join(folder, 'rides')),
};
const [program, folder, ...chosen] = process.argv.slice(2);
if (!program || !folder || chosen.some((name) => !CHECKS[name])) {
  throw new Error(`usage: node check.js PROGRAM FOLDER [${Object.keys(CHECKS).join('|')}]…`);
}
const results = new Results();
const browser = await openBrowser();
try {
  for (const [name, check] of Object.entries(CHECKS)) {
    if (chosen.length === 0 || chosen.includes(name)) await check(browser, results);
  }
} finally {
  await browser.close();
}
process.exitCode = results.summary() ? 0 : 1;
