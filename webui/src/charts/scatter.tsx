// scatter: accuracy against a cost, with the Pareto front. Points up to twenty thousand are drawn one by one; above that
// the coordinator's bins are drawn as shades, and points only where a zoomed view holds few. Drag to zoom, double-click
// to see everything, click a point to open it. The page keeps the window, so that an address shows the same view.
import type uPlot from "uplot";
import { useMemo, useRef } from "preact/hooks";
import type { Candidate, Density, Points } from "../api/types";
import { percent, si, siAxis } from "../format";
import type { Window } from "../api/client";
import { axis, type Ink, Plot } from "./plot";

interface Props {
  points: Points | undefined;
  front: Candidate[];
  density?: Density;
  xLabel: string;
  cost: "macs" | "params";
  selected?: string;
  height: number;
  window?: Window;
  onZoom: (window: Window | null) => void;
  onPick: (code: string) => void;
}

interface Sorted {
  x: number[];
  y: number[];
  code: string[];
}

function sortByX(points: Points | undefined): Sorted {
  if (!points) return { x: [], y: [], code: [] };
  const order = points.x.map((_, i) => i).sort((a, b) => points.x[a] - points.x[b]);
  return { x: order.map((i) => points.x[i]), y: order.map((i) => points.y[i]), code: order.map((i) => points.code[i]) };
}

function dot(ctx: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  ctx.moveTo(x + r, y);
  ctx.arc(x, y, r, 0, 2 * Math.PI);
}

function drawPoints(u: uPlot, s: Sorted, ink: Ink): void {
  const { ctx } = u;
  const n = s.x.length;
  const many = n > 4000;
  const r = (many ? 1.5 : n > 1000 ? 2 : 2.8) * devicePixelRatio;
  ctx.fillStyle = ink.accent;
  ctx.globalAlpha = n > 1000 ? 0.35 : n > 300 ? 0.5 : 0.65;
  for (let i = 0; i < n; i++) {
    const x = u.valToPos(s.x[i], "x", true);
    const y = u.valToPos(s.y[i], "y", true);
    if (many) {
      ctx.fillRect(x - r, y - r, 2 * r, 2 * r);
      continue;
    }
    // One path per dot: in a single path overlapping dots would not darken.
    ctx.beginPath();
    dot(ctx, x, y, r);
    ctx.fill();
  }
  ctx.globalAlpha = 1;
}

function drawDensity(u: uPlot, d: Density, ink: Ink): void {
  const { ctx } = u;
  const [nx, ny] = d.bins;
  const most = Math.log1p(d.counts.reduce((m, c) => Math.max(m, c), 1));
  const w = (d.x[1] - d.x[0]) / nx;
  const h = (d.y[1] - d.y[0]) / ny;
  ctx.fillStyle = ink.accent;
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) {
      const c = d.counts[j * nx + i];
      if (!c) continue;
      const x0 = u.valToPos(d.x[0] + i * w, "x", true);
      const x1 = u.valToPos(d.x[0] + (i + 1) * w, "x", true);
      const y0 = u.valToPos(d.y[0] + (j + 1) * h, "y", true);
      const y1 = u.valToPos(d.y[0] + j * h, "y", true);
      ctx.globalAlpha = 0.15 + (0.85 * Math.log1p(c)) / most;
      ctx.fillRect(x0, y0, Math.max(1, x1 - x0 + 0.5), Math.max(1, y1 - y0 + 0.5));
    }
  }
  ctx.globalAlpha = 1;
}

function drawFront(u: uPlot, front: Candidate[], ink: Ink, cost: "macs" | "params"): void {
  const at = front
    .filter((c) => c.accuracy != null)
    .map((c) => [u.valToPos(c[cost] ?? 0, "x", true), u.valToPos(c.accuracy!, "y", true)])
    .sort((a, b) => a[0] - b[0]);
  if (!at.length) return;
  const { ctx } = u;
  ctx.strokeStyle = ink.front;
  ctx.lineWidth = 1.75 * devicePixelRatio;
  ctx.lineJoin = "round";
  ctx.beginPath();
  at.forEach(([x, y], i) => {
    if (i === 0) return ctx.moveTo(x, y);
    ctx.lineTo(x, at[i - 1][1]);
    ctx.lineTo(x, y);
  });
  ctx.stroke();
  ctx.lineWidth = 1.25 * devicePixelRatio;
  for (const [x, y] of at) {
    ctx.beginPath();
    dot(ctx, x, y, 3.4 * devicePixelRatio);
    ctx.fillStyle = ink.front;
    ctx.fill();
    ctx.strokeStyle = ink.surface;
    ctx.stroke();
  }
}

function drawSelected(u: uPlot, s: Sorted, front: Candidate[], code: string, ink: Ink, cost: "macs" | "params"): void {
  const i = s.code.indexOf(code);
  const f = front.find((c) => c.code === code);
  const x = i >= 0 ? s.x[i] : f?.[cost];
  const y = i >= 0 ? s.y[i] : f?.accuracy;
  if (x == null || y == null) return;
  const { ctx } = u;
  ctx.beginPath();
  dot(ctx, u.valToPos(x, "x", true), u.valToPos(y, "y", true), 7 * devicePixelRatio);
  ctx.strokeStyle = ink.text;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.stroke();
}

const REACH = 14; // pixels

function nearest(u: uPlot, s: Sorted, left: number, top: number): number {
  let best = -1;
  let least = REACH * REACH;
  for (let i = 0; i < s.x.length; i++) {
    const dx = u.valToPos(s.x[i], "x") - left;
    if (dx * dx > least) continue;
    const dy = u.valToPos(s.y[i], "y") - top;
    if (dx * dx + dy * dy < least) {
      least = dx * dx + dy * dy;
      best = i;
    }
  }
  return best;
}

// Makes a tooltip that follows the nearest point.
function follow(now: () => { sorted: Sorted; props: Props }): uPlot.Plugin {
  const tip = document.createElement("div");
  tip.className = "tip";
  let index = -1;
  return {
    hooks: {
      init: (u) => {
        u.over.append(tip);
        u.over.addEventListener("click", () => index >= 0 && now().props.onPick(now().sorted.code[index]));
        u.over.addEventListener("mouseleave", () => tip.classList.remove("on"));
      },
      setCursor: (u) => {
        const { left = -1, top = -1 } = u.cursor;
        const { sorted, props } = now();
        index = left < 0 ? -1 : nearest(u, sorted, left, top);
        u.over.style.cursor = index >= 0 ? "pointer" : "crosshair";
        tip.classList.toggle("on", index >= 0);
        if (index < 0) return;
        tip.replaceChildren();
        const code = document.createElement("code");
        code.textContent = sorted.code[index].length > 40 ? `${sorted.code[index].slice(0, 40)}…` : sorted.code[index];
        tip.append(code, ` ${percent(sorted.y[index])} · ${si(sorted.x[index])} ${props.xLabel}`);
        const x = u.valToPos(sorted.x[index], "x");
        const y = u.valToPos(sorted.y[index], "y");
        tip.style.transform = `translate(${x > u.over.clientWidth / 2 ? x - tip.offsetWidth - 10 : x + 10}px, ${y < 40 ? y + 10 : y - 34}px)`;
      },
    },
  };
}

export function Scatter(props: Props) {
  const { points, front, density, cost, height } = props;
  const sorted = useMemo(() => sortByX(points), [points]);
  const latest = useRef({ sorted, props });
  latest.current = { sorted, props };
  // Only the extent matters to uPlot: points are drawn in the hook below.
  const data = useMemo<uPlot.AlignedData>(() => {
    if (props.window) return [[props.window.x_min, props.window.x_max], [props.window.y_min, props.window.y_max]];
    if (!density) return [sorted.x, sorted.y];
    return [[density.x[0], density.x[1]], [density.y[0], density.y[1]]];
  }, [sorted, density, front, props.selected, props.window]);
  return (
    <Plot
      label={`Accuracy against ${props.xLabel} of ${points?.total ?? 0} architectures; ${front.length} on the Pareto front. The Table button lists them.`}
      height={height}
      data={data}
      buildKey={cost}
      build={(_lib, ink, size) => ({
        ...size,
        legend: { show: false },
        padding: [12, 14, 0, 0],
        cursor: { x: false, y: false, points: { show: false }, drag: { x: true, y: true, uni: 24, setScale: false } },
        scales: {
          x: { time: false, range: (_u, lo, hi) => within(latest.current.props.window, "x") ?? spread(lo, hi) },
          y: { range: (_u, lo, hi) => within(latest.current.props.window, "y") ?? spread(lo, hi) },
        },
        series: [{}, { paths: () => null, points: { show: false } }],
        axes: [
          axis(ink, props.xLabel, siAxis, { size: 36 }),
          axis(ink, "Accuracy", (v) => `${+(100 * v).toFixed(2)} %`, { size: 62 }),
        ],
        plugins: [follow(() => latest.current)],
        hooks: {
          setSelect: [
            (u) => {
              const { left, top, width, height: tall } = u.select;
              if (width < 4 && tall < 4) return;
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              latest.current.props.onZoom({
                x_min: Math.round(u.posToVal(width < 4 ? 0 : left, "x")),
                x_max: Math.round(u.posToVal(width < 4 ? u.over.clientWidth : left + width, "x")),
                y_min: Number(u.posToVal(tall < 4 ? u.over.clientHeight : top + tall, "y").toFixed(6)),
                y_max: Number(u.posToVal(tall < 4 ? 0 : top, "y").toFixed(6)),
              });
            },
          ],
          ready: [(u) => u.over.addEventListener("dblclick", () => latest.current.props.onZoom(null))],
          draw: [
            (u) => {
              const now = latest.current;
              const { ctx } = u;
              ctx.save();
              ctx.beginPath();
              ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
              ctx.clip();
              if (now.props.density) drawDensity(u, now.props.density, ink);
              drawPoints(u, now.sorted, ink);
              drawFront(u, now.props.front, ink, now.props.cost);
              if (now.props.selected) drawSelected(u, now.sorted, now.props.front, now.props.selected, ink, now.props.cost);
              ctx.restore();
            },
          ],
        },
      })}
    />
  );
}

function within(window: Window | undefined, side: "x" | "y"): [number, number] | null {
  return window ? [window[`${side}_min`], window[`${side}_max`]] : null;
}

function spread(lo: number | null, hi: number | null): [number, number] {
  if (lo == null || hi == null) return [0, 1];
  const room = (hi - lo || Math.abs(hi) || 1) * 0.06;
  return [lo - room, hi + room];
}
