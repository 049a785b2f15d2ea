// plot: a uPlot inside Preact. The library is loaded when the first chart is shown. `build` gives the options for the
// present size and colours; a new `buildKey` or theme makes the chart again, new data alone only redraws it, on new scales
// unless the reader has zoomed in.
import type uPlot from "uplot";
import { useEffect, useRef, useState } from "preact/hooks";
import { isDark } from "../state/theme";

export interface Ink {
  text: string;
  muted: string;
  line: string;
  grid: string;
  surface: string;
  accent: string;
  front: string;
  best: string;
  font: string;
}

export type Library = typeof uPlot;

let library: Promise<Library> | null = null;
function load(): Promise<Library> {
  library ??= import("uplot").then((m) => m.default);
  return library;
}

export function ink(): Ink {
  const style = getComputedStyle(document.documentElement);
  const v = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    text: v("text"),
    muted: v("muted"),
    line: v("line"),
    grid: v("grid"),
    surface: v("surface"),
    accent: v("accent"),
    front: v("front"),
    best: v("best"),
    font: `12px ${v("font")}`,
  };
}

export function axis(ink: Ink, label: string, values: (v: number) => string, more: Partial<uPlot.Axis> = {}): uPlot.Axis {
  return {
    stroke: ink.muted,
    font: ink.font,
    label,
    labelFont: ink.font,
    labelSize: 22,
    grid: { stroke: ink.grid, width: 1 },
    ticks: { stroke: ink.line, width: 1, size: 5 },
    border: { show: true, stroke: ink.line, width: 1 },
    values: (_u, splits) => splits.map((s) => (s == null ? "" : values(s))),
    ...more,
  };
}

interface Props {
  label: string;
  height: number;
  data: uPlot.AlignedData;
  buildKey: string;
  build: (lib: Library, ink: Ink, size: { width: number; height: number }) => uPlot.Options;
  onReady?: (u: uPlot) => void;
}

export function Plot(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const zoomed = useRef(false);
  const latest = useRef(props);
  latest.current = props;
  const [lib, setLib] = useState<Library | null>(null);
  const dark = isDark.value;

  useEffect(() => {
    let alive = true;
    void load().then((l) => alive && setLib(() => l));
    return () => {
      alive = false;
    };
  }, []);
  useEffect(() => {
    if (!lib) return;
    const element = host.current!;
    const { height, data, build } = latest.current;
    const width = Math.max(200, element.clientWidth);
    const u = new lib(build(lib, ink(), { width, height }), data, element);
    chart.current = u;
    zoomed.current = false;
    (u.hooks.setSelect ??= []).push(() => (zoomed.current = u.select.width > 0 && u.cursor.drag?.setScale !== false));
    u.over.addEventListener("dblclick", () => (zoomed.current = false));
    latest.current.onReady?.(u);
    const observer = new ResizeObserver(() => {
      const w = element.clientWidth;
      if (w > 0 && Math.abs(w - u.width) > 1) u.setSize({ width: w, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      u.destroy();
      chart.current = null;
    };
  }, [lib, dark, props.buildKey, props.height]);
  useEffect(() => {
    const u = chart.current;
    u?.setData(props.data, !zoomed.current);
    if (zoomed.current) u?.redraw(); // by itself it would set the x scale back to where it was
  }, [props.data]);

  return <div class="plot" ref={host} role="img" aria-label={props.label} style={{ minHeight: `${props.height}px` }} />;
}
