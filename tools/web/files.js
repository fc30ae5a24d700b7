// The files of a site: where their links lead, and whether each is what it says that it is.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { SITE_URL, filesBelow } from './sites.js';

const run = promisify(execFile);
const CHECKER = createRequire(import.meta.url).resolve('vnu-jar/build/dist/vnu.jar');

/** Follows links from page to page, for whoever has looked at them: `linksOf` answers what each page points to. */
export function brokenLinks(folder, root, linksOf) {
  const problems = [];
  const files = new Set(filesBelow(folder));
  const anchors = new Map();
  const anchorsOf = (file) => {
    if (!anchors.has(file)) {
      const ids = readFileSync(join(folder, file), 'utf8').matchAll(/\sid="([^"]+)"/g);
      anchors.set(file, new Set([...ids].map(([, id]) => id)));
    }
    return anchors.get(file);
  };
  const linked = new Set(['index.html']);
  for (const [from, links] of linksOf) {
    for (const link of links) {
      const [address, anchor] = link.split('#');
      const file = [root, `${SITE_URL}/`].find((base) => address.startsWith(base));
      if (!file) {
        problems.push(`${from} leads away, to ${link}`);
        continue;
      }
      const path = decodeURIComponent(address.slice(file.length));
      linked.add(path);
      if (!files.has(path)) problems.push(`${from} points to ${path || link}, which is not there`);
      else if (anchor && !anchorsOf(path).has(anchor)) problems.push(`${from} points to #${anchor} of ${path}, which has none`);
    }
  }
  // A style sheet names its faces; a licence and a map for search engines are found by their names.
  for (const file of files) {
    if (!linked.has(file) && !/^static\/|^sitemap\.xml$/.test(file)) problems.push(`nothing points to ${file}`);
  }
  return problems;
}

/** Addresses that the style sheets name. */
export function linksOfSheets(folder, root) {
  const sheets = filesBelow(folder).filter((file) => file.endsWith('.css'));
  return sheets.map((sheet) => {
    const urls = readFileSync(join(folder, sheet), 'utf8').matchAll(/url\("?([^")]+)"?\)/g);
    return [sheet, [...urls].map(([, url]) => new URL(url, root + sheet).href)];
  });
}

/** Addresses that the feed and the map name. The page is any: only a browser reads XML as readers do. */
export async function linksOfXml(page, folder, root, problems) {
  const found = [];
  for (const file of filesBelow(folder).filter((name) => name.endsWith('.xml'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    const { wrong, links } = await page.evaluate((xml) => {
      const document = new DOMParser().parseFromString(xml, 'application/xml');
      const wrong = document.querySelector('parsererror')?.textContent;
      const named = [...document.querySelectorAll('link')].map((link) => link.getAttribute('href'));
      const placed = [...document.querySelectorAll('loc')].map((loc) => loc.textContent);
      return { wrong, links: [...named, ...placed] };
    }, text);
    if (wrong) problems.push(`${file} is not well-formed: ${wrong.replace(/\s+/g, ' ')}`);
    if (links.length === 0) problems.push(`${file} names no page`);
    found.push([file, links.map((link) => new URL(link, root).href)]);
  }
  if (found.length === 0) problems.push('there is neither a feed nor a map');
  return found;
}

/** The cells of a CSV file, row by row. */
function csvRows(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1).push(quoted ?? plain);
    if (end === '\r\n') rows.push([]);
  }
  return rows.filter((row) => row.length > 1 || row[0]);
}

/** Files that are not what their names say. */
export function wrongFiles(folder) {
  const problems = [];
  for (const file of filesBelow(folder)) {
    const bytes = readFileSync(join(folder, file));
    try {
      if (file.endsWith('.json')) JSON.parse(bytes.toString('utf8'));
      if (file.endsWith('.csv')) {
        const [head, ...rows] = csvRows(bytes.toString('utf8'));
        const odd = rows.find((row) => row.length !== head.length);
        if (head.length < 2) problems.push(`${file} has no columns`);
        if (odd) problems.push(`${file}: a row of ${odd.length} cells below ${head.length} columns: ${odd.join()}`);
      }
      if (file.endsWith('.pdf') && !(bytes.subarray(0, 5).equals(Buffer.from('%PDF-')) && bytes.length < 200_000)) {
        problems.push(`${file} is no PDF below 200 kB`);
      }
    } catch (error) {
      problems.push(`${file}: ${error.message}`);
    }
  }
  return problems;
}

/** What the Nu checker, which validator.w3.org runs, says of HTML files: one line a mistake. */
export async function markupErrors(files) {
  const words = ['-jar', CHECKER, '--format', 'json', '--exit-zero-always', ...files];
  const { stderr } = await run('java', words, { maxBuffer: 1 << 28 });
  const { messages } = JSON.parse(stderr);
  return messages
    .filter(({ type, subType }) => type !== 'info' || subType === 'warning')
    .map(({ url, lastLine, message, extract }) => `${url.replace(/^file:\/*/, '/')}:${lastLine}: ${message} ${extract ?? ''}`.replace(/\s+/g, ' '));
}

/** What qpdf finds wrong with the PDF files of a site, and links of theirs that do not lead to the page beside them. */
export async function pdfErrors(folder) {
  const problems = [];
  const files = filesBelow(folder).filter((name) => name.endsWith('.pdf'));
  for (const file of files) {
    const path = join(folder, file);
    let read;
    try {
      // It ends with 3 where it only warns; both count.
      await run('qpdf', ['--check', path]);
      read = await run('qpdf', ['--json=2', '--json-key=qpdf', path], { maxBuffer: 1 << 28 });
    } catch ({ stderr, stdout, message }) {
      problems.push(`${file}: ${(stderr || stdout || message).replaceAll(path, '').trim()}`);
      continue;
    }
    const links = [...read.stdout.matchAll(/"\/URI": "u:([^"]+)"/g)].map(([, url]) => url);
    const page = file.replace('report.pdf', 'index.html');
    if (links.length !== 2) problems.push(`${file} has ${links.length} links, not one on each of two sheets`);
    for (const link of links) {
      if (link !== 'index.html' && link !== `${SITE_URL}/${page}`) problems.push(`${file} leads to ${link}`);
    }
  }
  if (files.length === 0) problems.push('there is no PDF');
  return problems;
}
