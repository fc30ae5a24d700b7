// What is looked at: folders with a site in them, served as a plain file store would, and a running server.

import { execFile, spawn } from 'node:child_process';
import { createReadStream, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the sites are told that they are: in feeds and maps. Nobody is asked there. */
export const SITE_URL = 'https://reports.deloton.example';

/** Sites work wherever they are put: below a folder of some server, for example. */
const PREFIX = '/some/prefix/';

const MEDIA_TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.xml': 'application/xml',
  '.csv': 'text/csv; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.pdf': 'application/pdf',
  '.woff2': 'font/woff2',
};

/** The published files below a folder: what begins with `_` is the publisher's own. */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => statSync(join(folder, path)).isFile() && !path.startsWith('_'))
    .map((path) => relative('.', path))
    .sort();
}

/** Serves a folder's files under a prefix and nothing else: no listings, no index that was not spelled out. */
export async function serveFolder(folder) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const file = join(folder, path.slice(PREFIX.length));
    if (!path.startsWith(PREFIX) || path.endsWith('/') || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('there is no such file\n');
      return;
    }
    response.writeHead(200, { 'content-type': MEDIA_TYPES[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return { root: `http://127.0.0.1:${server.address().port}${PREFIX}`, close: () => server.close() };
}

/** Settings of whoever runs the checks are not those of what is checked. */
function environment() {
  const own = Object.entries(process.env).filter(([name]) => !/^(DELOTON|AWS)_/.test(name));
  return Object.fromEntries(own);
}

/** The site of the recorded sample: a first day, and a day after it. Answers its folder. */
export async function publishSample(program, folder) {
  const common = ['--data-dir', folder, '--now', '2026-05-07T08:00:00Z', '--site-url', SITE_URL];
  const deloton = (...words) => run(program, [...words, ...common], { env: environment() });
  await deloton('consume', '--from-file', 'data/sample/rides.jsonl.gz');
  for (const day of ['2026-05-05', '2026-05-06']) await deloton('run', 'publish', '--day', day);
  return join(folder, 'site');
}

/** Stops a server, and waits until it has. */
function stop(process) {
  const ended = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGTERM');
  return ended;
}

/** A server with simulated bikes, once it has reported the days that it began with: on a free port, or where it was. */
export async function serveProgram(program, folder, address = '127.0.0.1:0') {
  const words = ['serve', '--data-dir', folder, '--listen', address, '--rides-per-day', '200'];
  const process = spawn(program, words, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [process.stdout, process.stderr]) stream.on('data', (bytes) => (log += bytes));
  const told = join(folder, 'serve.json');
  const deadline = Date.now() + 180_000;
  const isReady = async () => {
    if (!existsSync(told)) return null;
    const { address } = JSON.parse(readFileSync(told, 'utf8'));
    const root = `http://${address}`;
    const page = await fetch(`${root}/jobs`).catch(() => null);
    const mails = await fetch(`${root}/outbox`).catch(() => null);
    const isDone = page?.ok && mails?.ok && /href="\/outbox\/[^"]+"/.test(await mails.text());
    return isDone && existsSync(join(folder, 'site/index.html')) ? root : null;
  };
  for (;;) {
    const root = await isReady();
    if (root) return { root, close: () => stop(process) };
    if (process.exitCode !== null || Date.now() > deadline) {
      process.kill('SIGKILL');
      throw new Error(`the server did not report its first days:\n${log}`);
    }
    await pause(250);
  }
}
