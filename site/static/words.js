// Numbers as people read them; the same as the server writes them (src/template/format.rs).

export const THIN = "\u202f";
export const NOTHING = "–";

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? NOTHING : whole.format(value));
export const decimal = (value) => (value === null || value === undefined ? NOTHING : tenths.format(value));
export const unit = (value, name, write = count) =>
  value === null || value === undefined ? NOTHING : `${write(value)}${THIN}${name}`;

/** Seconds as a stop-watch has them: 04:07, 1:02:09. */
export const elapsed = (seconds) => {
  const pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(Math.floor(seconds) % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
};

/** Writes a text only where it is another: an untouched element costs a browser nothing. */
export const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** The colour that a custom property of the page stands for in the theme of the moment. */
export const colour = (name) => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

/** Calls `redraw` when the theme changes, by the switch or by the system. */
export const onTheme = (redraw) => {
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
};
