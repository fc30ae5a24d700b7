// The traces of a ride, one below the other: one x-axis, one cursor. Drawn by uPlot, which the page has loaded before.
import { colour, elapsed, onTheme, setText, unit } from "./words.js";

const HEIGHT = 116;
const TRACES = [
  { id: "power", column: "power_watts", name: "W", stroke: "--power", least: [0, 100] },
  { id: "heart", column: "heart_rate_bpm", name: "bpm", stroke: "--heart", least: [60, 160], hasLimits: true },
  { id: "cadence", column: "cadence_rpm", name: "rpm", stroke: "--cadence", least: [0, 100] },
  { id: "resistance", column: "resistance", name: "", stroke: "--resistance", least: [0, 50] },
];

export class Charts {
  #drawn = [];
  #columns = null;
  #limits = [];
  #pointed;

  /** Draws into `#chart-power` and so on; tells `pointed` of the place in the columns that is under the cursor. */
  constructor(pointed = () => {}) {
    this.#pointed = pointed;
    onTheme(() => this.#redraw());
    new ResizeObserver(() => {
      for (const { plot, element } of this.#drawn) plot.setSize({ width: element.clientWidth, height: plot.height });
    }).observe(document.getElementById("chart-power"));
  }

  /** Shows columns of a ride, as the API answers them, and the limits of the heart rate. */
  show(columns, limits) {
    [this.#columns, this.#limits] = [columns, limits.filter((limit) => limit !== null)];
    if (this.#drawn.length === 0) this.#drawn = TRACES.map((trace) => this.#make(trace));
    for (const { trace, plot } of this.#drawn) plot.setData(this.#data(trace));
  }

  /** Moves the cursor to a place in the columns. */
  point(place) {
    // Only what a pointer does is passed on from one plot to the others.
    for (const { plot } of this.#drawn) plot.setCursor({ left: plot.valToPos(this.#columns.second[place], "x"), top: 0 });
  }

  #data(trace) {
    const limits = trace.hasLimits ? [0, 1].map((which) => this.#columns.second.map(() => this.#limits[which] ?? null)) : [];
    return [this.#columns.second, this.#columns[trace.column], ...limits];
  }

  #redraw() {
    if (this.#drawn.length === 0) return;
    for (const { plot } of this.#drawn) plot.destroy();
    this.#drawn = [];
    this.show(this.#columns, this.#limits);
  }

  #make(trace) {
    const element = document.getElementById(`chart-${trace.id}`);
    element.replaceChildren();
    // What it shows is in words beside it: the newest figures on the live page, a table on the page of a ride.
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", element.parentElement.querySelector("figcaption").firstChild.textContent.trim());
    const isLast = trace === TRACES.at(-1);
    const axis = { stroke: colour("--muted"), ticks: { show: false }, font: "12px Inter" };
    const grid = { stroke: colour("--rule"), width: 1 };
    const limit = { stroke: colour("--alert"), width: 1, dash: [4, 4], points: { show: false } };
    const [low, high] = trace.least;
    const options = {
      width: element.clientWidth,
      height: isLast ? HEIGHT + 20 : HEIGHT,
      padding: [8, 20, isLast ? 0 : 8, 0],
      legend: { show: false },
      cursor: { sync: { key: "ride" }, y: false, drag: { x: false, y: false } },
      hooks: { setCursor: [(plot) => this.#say(trace, element, plot.cursor.idx)] },
      series: [
        {},
        { stroke: colour(trace.stroke), width: 2, points: { show: false } },
        ...(trace.hasLimits ? [limit, limit] : []),
      ],
      scales: {
        x: { time: false, range: (_, least, most) => [least ?? 0, Math.max(most ?? 0, (least ?? 0) + 60)] },
        // From nought, but for the heart rate: none is there.
        y: { range: (_, least, most) => [Math.min(low, least ?? low), Math.max(high, (most ?? high) * 1.05)] },
      },
      axes: [
        { ...axis, grid: { show: false }, show: isLast, size: 28, values: (_, ticks) => ticks.map(elapsed), space: 70,
          incrs: [15, 30, 60, 120, 300, 600, 900, 1800, 3600] },
        { ...axis, grid, size: 44, space: 22 },
      ],
    };
    return { trace, element, plot: new uPlot(options, this.#data(trace), element) };
  }

  #say(trace, element, place) {
    const known = place === null || place === undefined || !this.#columns ? null : place;
    const value = known === null ? null : this.#columns[trace.column][known];
    const note = element.parentElement.querySelector(".at");
    setText(note, known === null ? "" : `${unit(value, trace.name).trim()} at ${elapsed(this.#columns.second[known])}`);
    if (trace === TRACES[0]) this.#pointed(known);
  }
}
