// Numbers and states in words.

export const number = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

export const span = (ms) => (ms >= 10_000 ? `${(ms / 1000).toFixed(0)} s` : ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${number(ms)} ms`);

export const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

export const bytes = (count) => (count >= 1 << 20 ? `${(count / (1 << 20)).toFixed(0)} MiB` : count >= 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${count} B`);

const MOST_NAMES = 4;

/** The first names, and the number of the others. */
export const shortened = (names) =>
  names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : "");

/** `{down: "always", delay: "40ms"}` as `cut, delay 40ms`. */
export const faultsInShort = (faults) =>
  Object.entries(faults).map(([key, value]) => (key === "down" && value === "always" ? "cut" : `${key} ${value}`)).join(", ");
