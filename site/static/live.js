// The live wall: one frame a second by server-sent events; one ride's charts beside it.
"use strict";
(() => {
  const STALE_SECONDS = 5;
  const DENSE_FROM = 200;
  const KEPT_SECONDS = 600;
  const CHART_HEIGHT = 140;
  const byId = (id) => document.getElementById(id);
  const wall = byId("wall");
  const tiles = new Map();
  let bikes = new Map();
  let frameAt = 0;
  let picked = null;
  let charts = null;

  // ── words ────────────────────────────────────────────────────────────────────────────────────────────────
  const round = (value) => (value === null ? "–" : String(Math.round(value)));
  const unit = (value, name) => (value === null ? "–" : `${Math.round(value)}\u202f${name}`);
  const elapsed = (seconds) => {
    const pad = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
    return hours ? `${hours}:${rest}` : rest;
  };
  const isHigh = (bike) =>
    bike.heart_rate_bpm !== null && bike.heart_rate_limit_bpm !== null && bike.heart_rate_bpm > bike.heart_rate_limit_bpm;
  const zone = (bike) => {
    if (bike.heart_rate_bpm === null || bike.heart_rate_limit_bpm === null) return 0;
    const share = bike.heart_rate_bpm / bike.heart_rate_limit_bpm;
    return share < 0.6 ? 1 : share < 0.7 ? 2 : share < 0.8 ? 3 : share < 0.9 ? 4 : 5;
  };
  // The age grows here between frames, so that a silent server shows as well as a silent bike.
  const age = (bike) => bike.age_of_reading_seconds + Math.floor((performance.now() - frameAt) / 1000);

  // ── the wall ─────────────────────────────────────────────────────────────────────────────────────────────
  const make = (serial) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.innerHTML =
      '<span class="bike"><span></span><span class="age"></span></span>' +
      '<span class="power"><span class="watts"></span> W</span><span class="heart"></span><span class="zone"></span>';
    button.querySelector(".bike > span").textContent = serial;
    button.addEventListener("click", () => pick(picked === serial ? null : serial));
    item.append(button);
    const parts = Object.fromEntries(["age", "watts", "heart", "zone"].map((name) => [name, button.querySelector(`.${name}`)]));
    return { item, button, parts };
  };
  const setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const paintTile = (tile, serial, bike) => {
    const { button, parts } = tile;
    const seconds = age(bike);
    const isStale = seconds > STALE_SECONDS;
    const z = zone(bike);
    const high = isHigh(bike);
    const heart = bike.heart_rate_bpm === null ? "no contact" : `${bike.heart_rate_bpm} bpm${z ? ` Z${z}` : ""}`;
    setText(parts.watts, bike.power_watts === null ? "–" : `${Math.round(bike.power_watts)}`);
    setText(parts.heart, high ? `■! ${bike.heart_rate_bpm} high` : heart);
    setText(parts.age, isStale ? `${seconds} s` : elapsed(bike.second));
    const name = `tile${z ? ` z${z}` : ""}${high ? " high" : ""}${isStale ? " stale" : ""}`;
    if (button.className !== name) button.className = name;
    parts.zone.style.width = `${z * 20}%`;
    button.title = `${serial}: ${unit(bike.power_watts, "W")}, ${heart}`;
  };
  const paint = () => {
    for (const [serial, tile] of tiles) {
      if (!bikes.has(serial)) {
        tile.item.remove();
        tiles.delete(serial);
      }
    }
    let before = null;
    for (const [serial, bike] of bikes) {
      let tile = tiles.get(serial);
      if (!tile) {
        tile = make(serial);
        tiles.set(serial, tile);
        if (before) before.item.after(tile.item);
        else wall.prepend(tile.item);
      }
      paintTile(tile, serial, bike);
      before = tile;
    }
    wall.classList.toggle("dense", bikes.size > DENSE_FROM);
    setText(byId("count"), String(bikes.size));
    byId("nobody").hidden = bikes.size > 0;
    paintRide();
  };

  // ── one ride ─────────────────────────────────────────────────────────────────────────────────────────────
  const columns = ["second", "power_watts", "heart_rate_bpm", "cadence_rpm"];
  let trace = null;
  let traceRide = null;

  const pick = async (serial) => {
    if (picked !== null) tiles.get(picked)?.button.setAttribute("aria-pressed", "false");
    picked = serial;
    trace = null;
    history.replaceState(null, "", serial === null ? "/live" : `/live?bike=${encodeURIComponent(serial)}`);
    byId("ride").hidden = serial === null;
    if (serial === null) return;
    tiles.get(serial)?.button.setAttribute("aria-pressed", "true");
    await loadTrace(serial);
    byId("ride").scrollIntoView({ block: "nearest" });
  };
  const loadTrace = async (serial) => {
    const response = await fetch(`/api/v1/live/${encodeURIComponent(serial)}`).catch(() => null);
    if (!response?.ok || picked !== serial) return;
    const answer = await response.json();
    traceRide = answer.riding.ride_id;
    trace = columns.map((name) => answer[name]);
    paintRide();
  };
  const append = (bike) => {
    const [seconds] = trace;
    if (seconds.length && seconds[seconds.length - 1] >= bike.second) return;
    columns.forEach((name, index) => trace[index].push(bike[name]));
    if (seconds.length > KEPT_SECONDS) trace.forEach((column) => column.shift());
  };
  const paintRide = () => {
    if (picked === null) return;
    const bike = bikes.get(picked);
    const flag = byId("ride-flag");
    if (!bike) {
      flag.hidden = false;
      flag.className = "status unknown";
      setText(flag, "– This ride is over");
      return;
    }
    const who = [bike.forename, bike.age === null ? null : `${bike.age}`].filter(Boolean).join(", ");
    setText(byId("ride-title"), who ? `${picked} · ${who}` : picked);
    setText(byId("ride-elapsed"), elapsed(bike.second));
    setText(byId("ride-power"), unit(bike.power_watts, "W"));
    setText(byId("ride-heart"), unit(bike.heart_rate_bpm, "bpm"));
    setText(byId("ride-cadence"), unit(bike.cadence_rpm, "rpm"));
    setText(byId("ride-resistance"), round(bike.resistance));
    setText(byId("ride-energy"), `${bike.energy_kilojoules.toFixed(1)}\u202fkJ`);
    setText(byId("limit-note"), bike.heart_rate_limit_bpm === null ? "" : `· limit ${bike.heart_rate_limit_bpm}`);
    const trouble = age(bike) > STALE_SECONDS ? ["unknown", `△ No line for ${age(bike)} s`]
      : isHigh(bike) ? ["failed", `■! Heart rate above the limit of ${bike.heart_rate_limit_bpm} bpm`]
      : bike.heart_rate_bpm === null ? ["unknown", "△ No hand contact"] : null;
    flag.hidden = trouble === null;
    if (trouble) {
      flag.className = `status ${trouble[0]}`;
      setText(flag, trouble[1]);
    }
    if (!trace) return;
    if (traceRide !== bike.ride_id) {
      trace = null;
      loadTrace(picked);
      return;
    }
    append(bike);
    draw(bike);
  };

  // ── the charts ───────────────────────────────────────────────────────────────────────────────────────────
  const color = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const draw = (bike) => {
    const limit = bike.heart_rate_limit_bpm;
    if (!charts) {
      charts = [
        chart("chart-power", "--power", "W", [0, 100], null),
        chart("chart-heart", "--heart", "bpm", [40, 180], "--alert"),
        chart("chart-cadence", "--cadence", "rpm", [0, 100], null),
      ];
    }
    charts[0].setData([trace[0], trace[1]]);
    charts[1].setData([trace[0], trace[2], trace[0].map(() => limit)]);
    charts[2].setData([trace[0], trace[3]]);
  };
  const chart = (id, stroke, label, [low, high], limitStroke) => {
    const element = byId(id);
    const axis = () => ({
      stroke: color("--muted"), grid: { stroke: color("--rule"), width: 1 }, ticks: { show: false }, font: "12px Inter",
    });
    const series = [
      {},
      { label, stroke: color(stroke), width: 2, points: { show: false } },
    ];
    if (limitStroke) series.push({ label: "limit", stroke: color(limitStroke), width: 1, dash: [4, 4], points: { show: false } });
    const options = {
      width: element.clientWidth, height: CHART_HEIGHT, series, legend: { show: false },
      cursor: { sync: { key: "ride" }, y: false },
      hooks: { setCursor: [(drawn) => pointed(drawn, element, label)] },
      scales: {
        x: { time: false },
        y: { range: (_, min, max) => [Math.min(low, min ?? low), Math.max(high, (max ?? high) * 1.05)] },
      },
      axes: [
        { ...axis(), size: 28, values: (_, ticks) => ticks.map(elapsed), space: 70, incrs: [30, 60, 120, 300, 600] },
        { ...axis(), size: 44, space: 26 },
      ],
    };
    return new uPlot(options, [[], [], []].slice(0, series.length), element);
  };
  // The second under the cursor, in words beside the chart's title.
  const pointed = (drawn, element, label) => {
    const { idx } = drawn.cursor;
    const at = idx === null || idx === undefined ? null : [drawn.data[0][idx], drawn.data[1][idx]];
    setText(element.parentElement.querySelector(".at"), at ? `${unit(at[1], label)} at ${elapsed(at[0])}` : "");
  };
  const redraw = () => {
    charts?.forEach((drawn) => drawn.destroy());
    charts = null;
    paintRide();
  };

  // ── the stream ───────────────────────────────────────────────────────────────────────────────────────────
  const connection = byId("connection");
  const say = (className, text) => {
    connection.className = `status ${className}`;
    setText(connection, text);
  };
  const connect = () => {
    const events = new EventSource("/live/events");
    events.onopen = () => say("succeeded", "✓ live");
    events.onerror = () => {
      say("unknown", "△ connection lost, trying again");
      // A browser gives up for good after some answers; then we start over ourselves.
      if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
    };
    events.onmessage = (message) => {
      frameAt = performance.now();
      bikes = new Map(JSON.parse(message.data).items.map((bike) => [bike.bike_serial, bike]));
      if (!document.hidden) paint();
      if (picked === null && wanted !== null && bikes.has(wanted)) {
        pick(wanted);
        wanted = null;
      }
    };
  };
  let wanted = new URLSearchParams(location.search).get("bike");

  connection.hidden = false;
  byId("close").addEventListener("click", () => {
    const tile = tiles.get(picked);
    pick(null);
    tile?.button.focus();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && picked !== null && pick(null));
  document.addEventListener("visibilitychange", () => document.hidden || paint());
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("resize", () =>
    charts?.forEach((drawn, index) => drawn.setSize({ width: byId(["chart-power", "chart-heart", "chart-cadence"][index]).clientWidth, height: CHART_HEIGHT })));
  // Ages grow while nothing arrives.
  setInterval(() => document.hidden || performance.now() - frameAt < 1500 || frameAt === 0 || paint(), 1000);
  connect();
})();
