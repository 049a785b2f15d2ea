// interval: an accuracy with its 95 % interval on a shared axis; the pale band is the interval of the best, so that a
// reader sees at once which rows the measurement can tell from it.
export interface Axis {
  lo: number;
  hi: number;
}

export function axisOf(values: (number | null | undefined)[]): Axis {
  let lo = 1;
  let hi = 0;
  for (const v of values) {
    if (v == null) continue;
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
  }
  if (lo > hi) return { lo: 0, hi: 1 };
  const step = hi - lo > 0.25 ? 0.1 : 0.05;
  return { lo: Math.max(0, Math.floor(lo / step - 1e-9) * step), hi: Math.min(1, Math.ceil(hi / step + 1e-9) * step) };
}

// Drawn by the style sheet from three places along the axis: a table has hundreds of these, and a drawing of its own for
// each would cost more than its text.
export function Interval(props: { value: number; ci?: number[] | null; band?: number[] | null; axis: Axis; name?: string }) {
  const { axis, ci, band, name } = props;
  const at = (v: number) => `${(2 + (96 * (Math.min(axis.hi, Math.max(axis.lo, v)) - axis.lo)) / (axis.hi - axis.lo || 1)).toFixed(2)}%`;
  const place: Record<string, string> = { "--v": at(props.value) };
  if (ci) Object.assign(place, { "--a": at(ci[0]), "--b": at(ci[1]) });
  if (band) Object.assign(place, { "--c": at(band[0]), "--d": at(band[1]) });
  return <div class={`interval${ci ? " ranged" : ""}${band ? " banded" : ""}`} style={place} title={name} {...(name ? { role: "img", "aria-label": name } : { "aria-hidden": true })} />;
}
