// The pages of rides as staff use them: what they show is what the API says, they move by themselves, find the server again
// when it was away, and are usable by keyboard, with any number of bikes.

import { setTimeout as pause } from 'node:timers/promises';

import { axe, open } from './browse.js';
import * as look from './look.js';
import { serveProgram } from './sites.js';

const VIEWS = [[360, 'light'], [360, 'dark'], [1440, 'light'], [1920, 'dark']];

/** Asks until it is answered with something, or until it takes too long. */
async function wait(ask, seconds = 20) {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const answer = await ask();
    if (answer || Date.now() > deadline) return answer;
    await pause(100);
  }
}

const json = async (address) => (await fetch(address)).json();
const text = (page, selector) => page.locator(selector).innerText();

/** Numbers as pages write them. */
const whole = (value) => (value === null ? '–' : new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 }).format(value));
const unit = (value, name) => (value === null ? '–' : `${whole(value)}\u202f${name}`);
const clock = (seconds) => `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;

/** What differs between what a page shows and what it should. */
async function differences(page, expected) {
  const found = [];
  for (const [selector, value] of Object.entries(expected)) {
    const shown = await text(page, selector);
    if (shown !== value) found.push(`${selector} shows “${shown}”, the API says “${value}”`);
  }
  return found;
}

/** A bike that will be ridden for some time yet. */
async function someBike(root) {
  return wait(async () => {
    const { items } = await json(`${root}/api/v1/live?limit=1000`);
    return items.find((bike) => bike.second > 5 && bike.power_watts !== null && bike.heart_rate_bpm !== null);
  }, 60);
}

async function liveNumbers(browser, results, root) {
  const { bike_serial: bike } = await someBike(root);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const { page, problems } = await open(context, `${root}/live?bike=${bike}`);
  // Between two answers a second may pass: compared is where both are of the same.
  const compared = await wait(async () => {
    const { riding, bests, second } = await json(`${root}/api/v1/live/${bike}`);
    if ((await text(page, '#ride-elapsed')) !== clock(riding.second)) return null;
    const found = await differences(page, {
      '#ride-power': unit(riding.power_watts, 'W'),
      '#ride-heart': unit(riding.heart_rate_bpm, 'bpm'),
      '#ride-cadence': unit(riding.cadence_rpm, 'rpm'),
      '#ride-resistance': whole(riding.resistance),
      '#ride-energy': `${riding.energy_kilojoules.toFixed(1)}\u202fkJ`,
      '#ride-limits': `limits ${riding.heart_rate_lower_limit_bpm ?? '–'}–${riding.heart_rate_limit_bpm ?? '–'}\u202fbpm`,
      '#ride-title': [bike, riding.name].filter(Boolean).join(' · '),
      '#best-energy': bests?.energy_kilojoules ? `${bests.energy_kilojoules.toFixed(1)}\u202fkJ` : '–',
    });
    const isSame = (await text(page, '#ride-elapsed')) === clock(riding.second);
    return isSame && { found, isWhole: second[0] <= 2 && second.length >= riding.second - 2 };
  });
  results.say('live: a ride’s numbers are those of the API', compared ? compared.found : ['they never were of the same second']);
  results.say('live: the API has the whole ride for the chart', compared?.isWhole ? [] : ['it has not']);

  const late = [];
  for (let sample = 0; sample < 20; sample += 1) {
    const { riding } = await json(`${root}/api/v1/live/${bike}`);
    const [minutes, seconds] = (await text(page, '#ride-elapsed')).split(':').map(Number);
    if (riding.second - (minutes * 60 + seconds) > 1) late.push(`second ${riding.second} was not there when the API had it`);
    await pause(137);
  }
  results.say('live: the page is at most a second behind', late);
  const drawn = () => page.evaluate(() => document.querySelector('#chart-power canvas').toDataURL().length + document.querySelector('#ride-elapsed').textContent);
  const before = await drawn();
  await pause(2_500);
  results.say('live: elapsed time and charts move by themselves', (await drawn()) === before ? ['they stand still'] : []);
  const shown = await wait(async () => (await text(page, '#count')) === whole((await json(`${root}/api/v1/status`)).riding));
  results.say('live: as many bikes are counted as the API counts', shown ? [] : ['it is another number']);
  results.say('live: loads without errors, and only what is its own, while it runs', problems);
  await context.close();
}

async function liveViews(browser, results, root) {
  const { bike_serial: bike } = await someBike(root);
  const [access, layout] = [[], []];
  for (const [width, colorScheme] of VIEWS) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' });
    const { page } = await open(context, `${root}/live?bike=${bike}`);
    await page.waitForSelector('#chart-resistance canvas');
    const view = `${width} px, ${colorScheme}: `;
    for (const each of [look.sidewaysScroll, look.wordsInBoxes]) layout.push(...(await page.evaluate(each)).map((found) => view + found));
    access.push(...(await axe(page)).map((found) => view + found));
    await context.close();
  }
  results.say('live: axe finds nothing while a ride is shown, from a phone to a wall', access);
  results.say('live: nothing is cut or scrolls sideways while a ride is shown', layout);
}

async function keyboard(browser, results, root) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  const { page } = await open(context, `${root}/live`);
  await page.waitForSelector('#wall li button');
  const problems = [];
  await page.locator('#wall li button').first().focus();
  await page.keyboard.press('Enter');
  if (!(await page.locator('#ride').isVisible())) problems.push('Enter on a tile shows no ride');
  await page.keyboard.press('Escape');
  if (await page.locator('#ride').isVisible()) problems.push('Escape does not close it');
  const first = await text(page, '#wall li .bike >> nth=0');
  await page.locator('#query').fill(first);
  await wait(async () => (await page.locator('#wall li').count()) === 1, 3);
  if ((await page.locator('#wall li').count()) !== 1) problems.push('searching for a bike does not find it alone');
  results.say('live: bikes are found and picked by keyboard', problems);

  const theme = [];
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.locator('#theme').click();
  const dark = await background();
  if (light === dark) theme.push('the switch changes nothing');
  if ((await page.locator('#theme').getAttribute('aria-pressed')) !== 'true') theme.push('it does not say that it is on');
  await page.goto(`${root}/recent`);
  if ((await background()) !== dark) theme.push('it is forgotten on the next page');
  results.say('theme: follows the system until it is switched, and is remembered', theme);
  await context.close();
}

/** Frames as src/api/wall.rs writes them, of so many bikes. */
function crowd(bikes) {
  const ids = Array.from({ length: bikes }, (_, place) => place + 1);
  const standings = (id) => (id % 500 === 0 ? 5 : id % 50 === 0 ? 1 : 2);
  const frame = {
    riding: bikes,
    connected: true,
    rides: ids.map((id) => [id, `SN${String(id).padStart(5, '0')}`, `Rider ${id}`, 52, 178]),
    seconds: ids.map((id) => [id, 0, 60 + (id % 900), standings(id) === 1 ? null : 90 + (id % 90), id % 300, 80, 45, 12.3, standings(id) === 1 ? 0 : 1 + (id % 5), standings(id)]),
    gone: [],
  };
  return `retry: 500\nevent: snapshot\ndata: ${JSON.stringify(frame)}\n\n`;
}

async function crowds(browser, results, root) {
  for (const bikes of [0, 1, 1_000, 10_000]) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.route('**/live/events', (route) => route.fulfill({ contentType: 'text/event-stream', body: crowd(bikes) }));
    await page.goto(`${root}/live`);
    const problems = [];
    const isCounted = await wait(async () => (await text(page, '#count')) === whole(bikes), 10);
    if (!isCounted) problems.push(`it counts ${await text(page, '#count')}`);
    if ((await page.locator('#nobody').isVisible()) !== (bikes === 0)) problems.push('“No one is riding” is wrong');
    if (bikes > 200) {
      const drawn = await page.evaluate(() => {
        const canvas = document.querySelector('#field canvas');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return { height: canvas.clientHeight, isDrawn: pixels.some((value) => value > 0) };
      });
      if (!drawn.isDrawn || drawn.height > 900) problems.push(`the field is not drawn as far as it is seen: ${JSON.stringify(drawn)}`);
      await page.locator('#field').focus();
      for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
      if (!(await text(page, '#under')).includes('SN00003')) problems.push(`the arrow keys lead to ${await text(page, '#under')}`);
      if (!(await text(page, '#outside')).includes('SN00500')) problems.push('who is outside the limits is not named');
      await page.locator('#query').fill(`rider ${bikes}`);
      if (!(await wait(async () => (await page.locator('#wall li').count()) === 1, 5))) problems.push('a rider is not found');
      await page.locator('#query').fill('');
    }
    problems.push(...(await axe(page)), ...(await page.evaluate(look.sidewaysScroll)));
    results.say(`live: ${whole(bikes)} bikes are counted, drawn, found and accessible`, problems);
    await context.close();
  }
}

async function pagesOfRides(browser, results, root) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const compared = await wait(async () => {
    const { page, problems } = await open(context, `${root}/recent?hours=72`);
    const recent = await json(`${root}/api/v1/recent?hours=72`);
    const found = await differences(page, {
      '#rides': whole(recent.rides),
      '#power': unit(recent.power_watts_mean, 'W'),
      '#heart': unit(recent.heart_rate_bpm_mean, 'bpm'),
    });
    await page.close();
    return problems.length === 0 && found.length === 0 && recent.rides > 0;
  }, 30);
  results.say('recent: the last hours’ numbers are those of the API', compared ? [] : ['they are not']);

  const { items } = await json(`${root}/api/v1/rides?limit=1000`);
  const ride = items.find((candidate) => candidate.ended_at && candidate.reading_count > 100);
  const { page, problems } = await open(context, `${root}/ride/${ride.ride_id}`);
  problems.push(...(await differences(page, {
    '#time': clock(ride.duration_seconds),
    '#power': unit(ride.power_watts_mean, 'W'),
    '#heart': unit(ride.heart_rate_bpm_mean, 'bpm'),
    '#energy': unit(ride.energy_kilojoules, 'kJ'),
  })));
  const readings = (await json(`${root}/api/v1/rides/${ride.ride_id}/readings?limit=1000`)).items;
  await page.locator('#second').focus();
  for (let step = 0; step < 20; step += 1) await page.keyboard.press('ArrowRight');
  const pointed = await text(page, 'figure:has(#chart-power) .at');
  const expected = `${unit(readings[20].power_watts, 'W')} at ${clock(readings[20].second)}`;
  if (pointed !== expected) problems.push(`the slider shows “${pointed}”, not “${expected}”`);
  const notes = await page.locator('.charts .at').allInnerTexts();
  if (!notes.every((note) => note.endsWith(`at ${clock(readings[20].second)}`))) problems.push(`the traces are not at one second: ${notes}`);
  const csv = await (await fetch(`${root}/ride/${ride.ride_id}/seconds.csv`)).text();
  if (csv.trim().split('\n').length !== ride.reading_count + 1) problems.push('the CSV has another number of seconds');
  results.say('ride: numbers, traces and downloads are those of the API', problems);
  await context.close();
}

/** Everything that is done with the pages of rides. */
export async function checkRides(browser, results, program, folder) {
  let server = await serveProgram(program, folder);
  const { root } = server;
  try {
    await liveNumbers(browser, results, root);
    await liveViews(browser, results, root);
    await keyboard(browser, results, root);
    await crowds(browser, results, root);
    await pagesOfRides(browser, results, root);

    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${root}/live`);
    const problems = [];
    const says = (words) => wait(async () => (await text(page, '#connection')).includes(words), 60);
    if (!(await says('✓ live'))) problems.push('it never was live');
    await server.close();
    if (!(await says('△'))) problems.push('it does not say that the server is away');
    server = await serveProgram(program, folder, new URL(root).host);
    if (!(await says('✓ live'))) problems.push('it does not find the server again');
    results.say('live: says when the server is away, and finds it again by itself', problems);
    await context.close();
  } finally {
    await server.close();
  }
}
