// The live page: what the server pushes, the wall of it, and one ride with its traces. Frames are described in
// src/api/wall.rs.
import { Charts } from "./charts.js";
import { Tiles, Wall, hasNoContact, isOutside, isSilent, trouble } from "./wall.js";
import { count, decimal, elapsed, setText, unit } from "./words.js";

/** So many bikes outside their limits are named above the wall. */
const NAMED = 24;
const KINDS = { all: () => true, outside: isOutside, contact: hasNoContact, silent: isSilent };

const byId = (id) => document.getElementById(id);
const rides = new Map();
let order = [];
let kind = "all";
let heardAt = null;
let isConnected = true;

// ── what the server pushes ─────────────────────────────────────────────────────────────────────────────────────
const serials = new Intl.Collator("en", { numeric: true });

const apply = (frame, isFresh) => {
  heardAt = performance.now();
  isConnected = frame.connected;
  if (isFresh) rides.clear();
  for (const [id, bike, label, lower, upper] of frame.rides) {
    rides.set(id, { ...rides.get(id), id, bike, label, lower, upper });
  }
  for (const [id, age, second, bpm, watts, rpm, resistance, kilojoules, zone, standing] of frame.seconds) {
    Object.assign(rides.get(id), { age, second, bpm, watts, rpm, resistance, kilojoules, zone, standing, heardAt });
  }
  frame.gone.forEach((id) => rides.delete(id));
  if (isFresh || frame.rides.length > 0 || frame.gone.length > 0) {
    order = [...rides.values()].sort((one, other) => serials.compare(one.bike, other.bike));
  }
  one.hear(isFresh);
  if (!document.hidden) paint();
};

// ── the wall ───────────────────────────────────────────────────────────────────────────────────────────────────
const pick = (bike) => one.pick(bike === one.bike ? null : bike);
const wall = new Wall(pick);
const flagged = new Tiles(byId("flagged"), pick);

const paint = () => {
  if (heardAt === null) return;
  const words = byId("query").value.trim().toLowerCase();
  const isMeant = (ride) => !words || ride.bike.toLowerCase().includes(words) || ride.label?.toLowerCase().includes(words);
  const found = order.filter(isMeant);
  for (const button of document.querySelectorAll("#kinds button")) {
    setText(button.querySelector("b"), count(found.filter(KINDS[button.value]).length));
    button.setAttribute("aria-pressed", String(button.value === kind));
  }
  const shown = found.filter(KINDS[kind]);
  const outside = kind === "all" ? found.filter(isOutside) : [];
  flagged.show(outside.slice(0, NAMED), one.bike);
  byId("outside").hidden = outside.length === 0;
  setText(byId("more"), outside.length > NAMED ? `and ${count(outside.length - NAMED)} more` : "");
  wall.show(shown, one.bike);
  setText(byId("count"), count(rides.size));
  byId("find").hidden = rides.size === 0;
  byId("nobody").hidden = rides.size > 0;
  byId("none").hidden = rides.size === 0 || shown.length > 0;
  one.paint();
};

// ── one ride ───────────────────────────────────────────────────────────────────────────────────────────────────
const COLUMNS = { second: "second", power_watts: "watts", heart_rate_bpm: "bpm", cadence_rpm: "rpm", resistance: "resistance" };

const one = {
  bike: null,
  /** The ride as it was told of last, and what the API says of it. */
  ride: null,
  told: null,
  charts: null,

  /** Shows the ride on a bike, or none. */
  pick(bike) {
    [this.bike, this.ride, this.told] = [bike, null, null];
    history.replaceState(null, "", bike === null ? "/live" : `/live?bike=${encodeURIComponent(bike)}`);
    byId("ride").hidden = bike === null;
    if (bike !== null) {
      this.ride = order.find((ride) => ride.bike === bike) ?? null;
      this.load();
      const { top } = byId("ride").getBoundingClientRect();
      if (top < 0 || top > innerHeight / 2) byId("ride").scrollIntoView();
    }
    paint();
  },

  async load() {
    const { bike } = this;
    const response = await fetch(`/api/v1/live/${encodeURIComponent(bike)}`).catch(() => null);
    if (!response?.ok) return;
    const told = await response.json();
    if (this.bike !== bike) return;
    this.told = told;
    this.describe();
    paint();
  },

  /** Takes the newest second of the ride that is shown. A new ride on its bike, and a gap, are asked for as a whole. */
  hear(isFresh) {
    if (this.bike === null) return;
    const now = order.find((ride) => ride.bike === this.bike);
    if (!now) return;
    const isAnother = this.ride?.id !== now.id;
    this.ride = now;
    if (isFresh || isAnother) {
      this.told = null;
      this.load();
    }
    if (this.told && now.second > (this.told.second.at(-1) ?? 0)) {
      for (const [column, value] of Object.entries(COLUMNS)) this.told[column].push(now[value]);
    }
  },

  /** What stays the same while the ride goes on. */
  describe() {
    const { riding } = this.told;
    const { age: years, gender, height_cm: height, weight_kg: weight } = riding;
    const genders = { female: "woman", male: "man", other: "another gender" };
    const facts = [
      years === null ? "age not known" : `${years} years`, genders[gender] ?? "gender not stated",
      height && unit(height, "cm"), weight && unit(weight, "kg"),
    ];
    setText(byId("ride-facts"), facts.filter(Boolean).join(" · "));
    // Who sees riders as pseudonyms has no pages of rides.
    byId("ride-page")?.setAttribute("href", `/ride/${riding.ride_id}`);
  },

  paint() {
    if (this.bike === null) return;
    const { ride } = this;
    const isOver = !rides.has(ride?.id);
    setText(byId("ride-title"), [this.bike, ride?.label].filter(Boolean).join(" · "));
    const flag = byId("ride-flag");
    const [className, icon, words] = isOver ? ["abandoned", "–", ride ? "this ride is over" : "nobody is riding this bike"] : (trouble(ride) ?? (ride.bpm === null ? ["abandoned", "–", "no heart rate just now"] : ["succeeded", "✓", "within the limits"]));
    flag.className = `status ${className}`;
    byId("ride-page")?.toggleAttribute("hidden", !ride);
    setText(flag, `${icon} ${words[0].toUpperCase()}${words.slice(1)}`);
    if (!ride) return;
    setText(byId("ride-elapsed"), elapsed(ride.second));
    setText(byId("ride-power"), unit(ride.watts, "W"));
    setText(byId("ride-heart"), unit(ride.bpm, "bpm"));
    setText(byId("ride-cadence"), unit(ride.rpm, "rpm"));
    setText(byId("ride-resistance"), count(ride.resistance));
    setText(byId("ride-energy"), unit(ride.kilojoules, "kJ", decimal));
    const limits = [ride.lower, ride.upper];
    setText(byId("ride-limits"), limits.every((limit) => limit === null) ? "no limits known" : `limits ${limits.map(count).join("–")}\u202fbpm`);
    if (!this.told) return;
    this.paintBests();
    this.charts ??= new Charts();
    this.charts.show(this.told, limits);
  },

  /** How far it is to the best of the rider's earlier rides. */
  paintBests() {
    const { bests, power_watts: watts } = this.told;
    const most = watts.reduce((highest, value) => Math.max(highest, value ?? 0), 0);
    const rows = [
      ["duration", bests?.duration_seconds, this.ride.second, elapsed],
      ["energy", bests?.energy_kilojoules, this.ride.kilojoules, (value) => unit(value, "kJ", decimal)],
      ["highest", bests?.power_watts, most, (value) => unit(value, "W")],
    ];
    for (const [name, best, now, write] of rows) {
      const isKnown = best !== null && best !== undefined;
      setText(byId(`best-${name}`), isKnown ? write(best) : "–");
      setText(byId(`to-${name}`), !isKnown ? "first ride" : now > best ? "✓ beaten" : `${write(best - now)} to go`);
    }
  },
};

// ── the connection ─────────────────────────────────────────────────────────────────────────────────────────────
const connection = byId("connection");
const say = (className, text) => {
  connection.className = `status ${className}`;
  setText(connection, text);
};
const standing = () => {
  if (heardAt !== null && performance.now() - heardAt > 3000) say("unknown", "△ nothing heard from the server, trying again");
  else if (!isConnected) say("unknown", "△ no lines arrive from the bikes");
  else if (heardAt !== null) say("succeeded", "✓ live");
};
const connect = () => {
  const events = new EventSource("/live/events");
  const listen = (name, isFresh) => events.addEventListener(name, (event) => {
    apply(JSON.parse(event.data), isFresh);
    if (wanted !== null && isFresh) one.pick(wanted);
    wanted = null;
    standing();
  });
  listen("snapshot", true);
  listen("delta", false);
  events.onerror = async () => {
    if (heardAt === null) say("unknown", "△ connection lost, trying again");
    // A browser tries again by itself, but gives up for good after some answers.
    if (events.readyState !== EventSource.CLOSED) return;
    const answer = await fetch("/api/v1/live?limit=1").catch(() => null);
    if (answer?.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    else setTimeout(connect, 3000);
  };
};
let wanted = new URLSearchParams(location.search).get("bike");

byId("close").addEventListener("click", () => {
  one.pick(null);
  byId("query").focus();
});
byId("query").addEventListener("input", paint);
byId("find").addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("#kinds button")) {
  button.addEventListener("click", () => { kind = button.value; paint(); });
}
document.addEventListener("keydown", (event) => event.key === "Escape" && one.bike !== null && one.pick(null));
document.addEventListener("visibilitychange", () => document.hidden || paint());
// Ages grow while nothing arrives.
setInterval(() => {
  standing();
  if (!document.hidden && heardAt !== null && performance.now() - heardAt > 1500) paint();
}, 1000);
connection.hidden = false;
connect();
