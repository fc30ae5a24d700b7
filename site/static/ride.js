// The page of one ride: its traces with one cursor, by pointer or by slider.
import { Charts } from "./charts.js";
import { elapsed } from "./words.js";

const byId = (id) => document.getElementById(id);
const columns = JSON.parse(byId("columns").textContent);
if (columns.second.length > 0) {
  const slider = byId("second");
  const { lower, upper } = byId("limits").dataset;
  const say = (place) => slider.setAttribute("aria-valuetext", `${elapsed(columns.second[place])}: ${[...document.querySelectorAll(".charts .at")].map((note) => note.textContent.split(" at ")[0]).join(", ")}`);
  const charts = new Charts((place) => {
    if (place !== null) slider.value = String(place);
  });
  charts.show(columns, [lower, upper].map((limit) => (limit === "" ? null : Number(limit))));
  slider.max = String(columns.second.length - 1);
  slider.addEventListener("input", () => {
    const place = Number(slider.value);
    charts.point(place);
    say(place);
  });
  byId("pointer").hidden = false;
}
