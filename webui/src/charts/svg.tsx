// svg: what the drawn (not plotted) charts share: their width on the page, a scale, round ticks, and a ramp of one hue from
// pale to strong, which every colour vision reads in the same order.
import { useEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";

// The width of the element in pixels, 0 before it is known.
export function useWidth<E extends HTMLElement>(): [RefObject<E>, number] {
  const ref = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => setWidth(element.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

export type Scale = (v: number) => number;

export function linear(from: [number, number], to: [number, number]): Scale {
  const span = from[1] - from[0] || 1;
  return (v) => to[0] + ((v - from[0]) / span) * (to[1] - to[0]);
}

// About n round numbers inside [lo, hi].
export function ticks(lo: number, hi: number, n: number): number[] {
  const raw = (hi - lo) / Math.max(1, n);
  if (!(raw > 0)) return [lo];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw)!;
  const out: number[] = [];
  for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + 1e-9 * step; i++) out.push(+(i * step).toPrecision(12));
  return out;
}

// A class name for a share from 0 to 1: the colours are in the style sheet, so that a theme changes them.
export const RAMP_STEPS = 9;
export function rampClass(share: number): string {
  return `ramp-${Math.max(0, Math.min(RAMP_STEPS - 1, Math.floor(share * RAMP_STEPS)))}`;
}

export function shorten(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
}
