// The wall of bikes: tiles for up to 200, above that a field of cells on a canvas, of which only what is seen is drawn.
import { colour, count, elapsed, onTheme, setText, unit } from "./words.js";

const TILES = 200;
/** Up to so many bikes a cell is large enough for a finger. */
const LARGE_CELLS = 2000;
export const SILENT_SECONDS = 5;

/** How a heart rate stands to its limits, in the order of src/api/wall.rs. */
const [, NO_CONTACT, , LEAVING_HIGH, LEAVING_LOW, HIGH, LOW] = [0, 1, 2, 3, 4, 5, 6];
export const isOutside = (ride) => ride.standing === HIGH || ride.standing === LOW;
export const hasNoContact = (ride) => ride.standing === NO_CONTACT;

/** Seconds since the newest reading: grows here as well, so that a silent server shows as a silent bike does. */
export const age = (ride) => ride.age + Math.floor((performance.now() - ride.heardAt) / 1000);
export const isSilent = (ride) => age(ride) > SILENT_SECONDS;

/** What the limits say of a ride: class of the words, icon and words; none where all is well. */
export const trouble = (ride) => {
  // In steps, so that a screen reader does not say each second.
  if (isSilent(ride)) return ["unknown", "△", `no line for ${Math.floor(age(ride) / 5) * 5}\u202fs`];
  switch (ride.standing) {
    case HIGH: return ["failed", "■!", `heart rate above ${ride.upper}\u202fbpm`];
    case LOW: return ["failed", "■!", `heart rate below ${ride.lower}\u202fbpm`];
    case LEAVING_HIGH: return ["unknown", "△", `above ${ride.upper}\u202fbpm for some seconds`];
    case LEAVING_LOW: return ["unknown", "△", `below ${ride.lower}\u202fbpm for some seconds`];
    case NO_CONTACT: return ["unknown", "△", "no hand contact"];
    default: return null;
  }
};

const heart = (ride) => (ride.bpm === null ? "no contact" : `${unit(ride.bpm, "bpm")}${ride.zone ? ` Z${ride.zone}` : ""}`);

/** A ride in one line of words. */
export const described = (ride) => {
  const words = [ride.bike, ride.label, elapsed(ride.second), unit(ride.watts, "W"), heart(ride), trouble(ride)?.[2]];
  return words.filter(Boolean).join(" · ");
};

/** A list of tiles, each a button. */
export class Tiles {
  #list;
  #pick;
  #tiles = new Map();

  constructor(list, pick) {
    [this.#list, this.#pick] = [list, pick];
  }

  /** Shows these rides, in this order. */
  show(rides, picked) {
    const wanted = new Set(rides.map((ride) => ride.id));
    for (const [id, tile] of this.#tiles) {
      if (wanted.has(id)) continue;
      tile.item.remove();
      this.#tiles.delete(id);
    }
    let before = null;
    for (const ride of rides) {
      let tile = this.#tiles.get(ride.id);
      if (!tile) this.#tiles.set(ride.id, (tile = this.#make(ride)));
      const place = before ? before.nextSibling : this.#list.firstChild;
      if (place !== tile.item) this.#list.insertBefore(tile.item, place);
      this.#paint(tile, ride, picked);
      before = tile.item;
    }
    this.#list.hidden = rides.length === 0;
  }

  #make(ride) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.innerHTML =
      '<span class="bike"></span> <span class="age"></span><span class="who"></span>' +
      '<span class="power"><span class="watts"></span> W</span> <span class="heart"></span><span class="zone"></span>';
    button.querySelector(".bike").textContent = ride.bike;
    button.addEventListener("click", () => this.#pick(ride.bike));
    item.append(button);
    const part = (name) => [name, button.querySelector(`.${name}`)];
    return { item, button, parts: Object.fromEntries(["age", "who", "watts", "heart", "zone"].map(part)) };
  }

  #paint({ button, parts }, ride, picked) {
    const silent = isSilent(ride);
    const [kind, icon] = trouble(ride) ?? [];
    const words = isOutside(ride) ? `${unit(ride.bpm, "bpm")} ${ride.standing === HIGH ? "high" : "low"}` : heart(ride);
    setText(parts.who, ride.label ?? "");
    setText(parts.watts, count(ride.watts));
    setText(parts.heart, icon && !silent ? `${icon} ${words}` : words);
    setText(parts.age, silent ? `△ ${age(ride)}\u202fs` : elapsed(ride.second));
    const name = `tile z${ride.zone}${kind === "failed" ? " outside" : ""}${silent ? " silent" : ""}`;
    if (button.className !== name) button.className = name;
    const isPicked = String(ride.bike === picked);
    if (button.getAttribute("aria-pressed") !== isPicked) button.setAttribute("aria-pressed", isPicked);
  }
}

/** A field of cells on a canvas that is no larger than the window. */
class Field {
  #box;
  #canvas;
  #under;
  #rides = [];
  #picked = null;
  #cursor = null;
  #colours = null;

  constructor(box, under, pick) {
    [this.#box, this.#canvas, this.#under] = [box, box.querySelector("canvas"), under];
    onTheme(() => { this.#colours = null; this.#draw(); });
    for (const event of ["scroll", "resize"]) addEventListener(event, () => this.#draw(), { passive: true });
    box.addEventListener("pointermove", (event) => this.#point(this.#at(event)));
    box.addEventListener("pointerleave", () => this.#point(null));
    box.addEventListener("click", (event) => {
      const ride = this.#rides[this.#at(event)];
      if (ride) pick(ride.bike);
    });
    box.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns(), ArrowDown: this.#columns() };
      if (event.key in steps) {
        const place = this.#cursor === null ? 0 : this.#cursor + steps[event.key];
        this.#under.setAttribute("aria-live", "polite");
        this.#point(Math.min(Math.max(place, 0), this.#rides.length - 1));
        event.preventDefault();
      } else if (event.key === "Enter" && this.#rides[this.#cursor]) pick(this.#rides[this.#cursor].bike);
    });
  }

  show(rides, picked) {
    [this.#rides, this.#picked] = [rides, picked];
    this.#box.hidden = rides.length === 0;
    if (rides.length === 0) return;
    // Newer figures of the same bike are not read out.
    this.#under.setAttribute("aria-live", "off");
    this.#point(this.#cursor);
  }

  get #cell() {
    return this.#rides.length > LARGE_CELLS ? 8 : 24;
  }

  get #pitch() {
    return this.#cell + (this.#cell > 8 ? 3 : 2);
  }

  #columns() {
    return Math.max(1, Math.floor(this.#box.clientWidth / this.#pitch));
  }

  /** The place of the ride under a pointer. */
  #at(event) {
    const { left, top } = this.#box.getBoundingClientRect();
    const [column, row] = [event.clientX - left, event.clientY - top].map((way) => Math.floor(way / this.#pitch));
    const place = row * this.#columns() + column;
    return column < this.#columns() && place < this.#rides.length ? place : null;
  }

  #point(place) {
    this.#cursor = place;
    setText(this.#under, place === null || !this.#rides[place] ? "" : described(this.#rides[place]));
    this.#draw();
  }

  #draw() {
    if (this.#rides.length === 0) return;
    const [columns, pitch, cell] = [this.#columns(), this.#pitch, this.#cell];
    const height = Math.ceil(this.#rides.length / columns) * pitch;
    this.#box.style.height = `${height}px`;
    const { top, width } = this.#box.getBoundingClientRect();
    const shown = Math.min(height, innerHeight);
    const from = Math.min(Math.max(0, -top), height - shown);
    const scale = devicePixelRatio || 1;
    const [across, down] = [Math.round(width * scale), Math.round(shown * scale)];
    if (this.#canvas.width !== across) this.#canvas.width = across;
    if (this.#canvas.height !== down) this.#canvas.height = down;
    this.#canvas.style.height = `${shown}px`;
    this.#canvas.style.top = `${from}px`;
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, -from * scale);
    pen.clearRect(0, from, width, shown);
    const first = Math.floor(from / pitch) * columns;
    const last = Math.min(this.#rides.length, Math.ceil((from + shown) / pitch) * columns);
    this.#colours ??= Object.fromEntries(["band", "control", "alert", "accent", "z1", "z2", "z3", "z4", "z5"].map((name) => [name, colour(`--${name}`)]));
    for (let place = first; place < last; place += 1) {
      const x = (place % columns) * pitch;
      const y = Math.floor(place / columns) * pitch;
      this.#drawCell(pen, this.#rides[place], x, y, cell);
      if (place === this.#cursor || this.#rides[place].bike === this.#picked) {
        pen.strokeStyle = this.#colours.accent;
        pen.lineWidth = 2;
        pen.strokeRect(x - 1, y - 1, cell + 2, cell + 2);
      }
    }
  }

  #drawCell(pen, ride, x, y, cell) {
    const colours = this.#colours;
    if (isSilent(ride)) {
      pen.strokeStyle = colours.control;
      pen.lineWidth = 1;
      pen.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
      pen.beginPath();
      pen.moveTo(x, y + cell);
      pen.lineTo(x + cell, y);
      pen.stroke();
    } else if (ride.zone === 0) {
      pen.strokeStyle = colours.control;
      pen.lineWidth = 1;
      pen.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
    } else {
      pen.fillStyle = colours[`z${ride.zone}`];
      pen.fillRect(x, y, cell, cell);
    }
    if (isOutside(ride)) {
      pen.strokeStyle = colours.alert;
      pen.lineWidth = cell > 8 ? 4 : 3;
      pen.strokeRect(x + 1, y + 1, cell - 2, cell - 2);
    }
  }
}

/** The wall: whichever of the two suits how many there are. */
export class Wall {
  #tiles;
  #field;
  #legend = document.getElementById("legend");
  #under = document.getElementById("under");

  constructor(pick) {
    this.#tiles = new Tiles(document.getElementById("wall"), pick);
    this.#field = new Field(document.getElementById("field"), this.#under, pick);
  }

  show(rides, picked) {
    const isField = rides.length > TILES;
    this.#tiles.show(isField ? [] : rides, picked);
    this.#field.show(isField ? rides : [], picked);
    this.#legend.hidden = this.#under.hidden = !isField;
  }
}
