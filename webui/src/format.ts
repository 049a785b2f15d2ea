// format: numbers and times as a reader sees them. Pure; no DOM.

const compact = ["", "k", "M", "G", "T"];

// 41 300 000 -> "41.3 M": three significant digits with a decimal prefix.
export function si(value: number | null | undefined, unit = ""): string {
  if (value == null || !Number.isFinite(value)) return "–";
  let v = value;
  let step = 0;
  while (Math.abs(v) >= 999.5 && step < compact.length - 1) {
    v /= 1000;
    step++;
  }
  const digits = step === 0 && Number.isInteger(v) ? 0 : Math.abs(v) >= 99.95 ? 0 : Math.abs(v) >= 9.995 ? 1 : 2;
  const suffix = `${compact[step]}${unit}`;
  return suffix ? `${v.toFixed(digits)} ${suffix}` : v.toFixed(digits);
}

// The same on an axis, where trailing zeros only take room: "20 M".
export function siAxis(value: number): string {
  return si(value).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

// "300M", "1.5 k", "2e6" -> a number; undefined for an empty text, NaN for one that is no number.
export function parseSi(text: string): number | undefined {
  const t = text.trim().replace(/[\s_,]/g, "");
  if (!t) return undefined;
  const m = /^(\d*\.?\d+(?:e[+-]?\d+)?)([kmgt]?)$/i.exec(t);
  if (!m) return NaN;
  return Math.round(Number(m[1]) * 1000 ** " kmgt".indexOf(m[2].toLowerCase() || " "));
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let v = value;
  let step = 0;
  while (v >= 1023.5 && step < units.length - 1) {
    v /= 1024;
    step++;
  }
  return `${v.toFixed(step === 0 || v >= 99.95 ? 0 : 1)} ${units[step]}`;
}

export function count(value: number | string | null | undefined): string {
  if (value == null) return "–";
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

function tenTo(power: number): string {
  return `10${[...String(power)].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)]).join("")}`;
}

// "1" + 30 zeros is unreadable: beyond 15 digits a power of ten is shown, with the exact number left to a tooltip.
export function architectures(value: string | undefined): string {
  if (!value) return "–";
  if (value.length <= 15) return count(value);
  return `${value[0]}.${value.slice(1, 3)} × ${tenTo(value.length - 1)}`;
}

// An estimate, to two digits: "3141" -> "3 100", beyond six digits "3.1 × 10¹²".
export function roughly(digits: string): string {
  const n = digits.length;
  const two = n > 2 ? Math.round(Number(digits.slice(0, 3)) / 10) : Number(digits);
  if (n <= 6) return count(n > 2 ? two * 10 ** (n - 2) : two);
  return two > 99 ? `1.0 × ${tenTo(n)}` : `${(two / 10).toFixed(1)} × ${tenTo(n - 1)}`;
}

// A part of a whole in percent, to two digits where it is small: 0.00042 -> "0.042 %".
export function share(value: number): string {
  const p = 100 * value;
  return `${p >= 10 ? p.toFixed(1).replace(/\.0$/, "") : Number(p.toPrecision(2))} %`;
}

export function percent(value: number | null | undefined, digits = 2): string {
  if (value == null || !Number.isFinite(value)) return "–";
  return `${(100 * value).toFixed(digits)} %`;
}

export function fixed(value: number | null | undefined, digits = 3): string {
  if (value == null || !Number.isFinite(value)) return "–";
  return value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace(/^-/, "−");
}

export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function ago(then: number | null | undefined, now: number): string {
  if (!then) return "never";
  const s = Math.max(0, (now - then) / 1000);
  if (s < 5) return "just now";
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  if (s < 129600) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86400)} d ago`;
}

// Making one takes longer than drawing a row, so they are kept.
const clocks = (["short", "medium"] as const).map((timeStyle) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle }));

export function dateTime(ms: number | null | undefined, seconds = false): string {
  if (!ms) return "–";
  return clocks[seconds ? 1 : 0].format(ms);
}

export function rate(perSecond: number | null | undefined): string {
  if (perSecond == null || !(perSecond > 0)) return "–";
  if (perSecond >= 1) return `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1)} / s`;
  if (perSecond * 60 >= 1) return `${(perSecond * 60).toFixed(1)} / min`;
  return `${(perSecond * 3600).toFixed(1)} / h`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
