// parallel: parallel coordinates. Each line is one architecture; each axis a decision with its options, the last one the
// accuracy. Options are buttons: pressed ones pass. Dragging along an axis marks a range of it. The page keeps the
// choice; lines outside it fade.
import { useRef, useState } from "preact/hooks";
import type { Choices, Decision } from "../api/types";
import { percent } from "../format";
import { linear, rampClass, shorten, ticks, useWidth } from "./svg";

export interface Brush {
  options: Map<number, Set<number>>; // decision -> options that pass; -1: it has no effect
  accuracy: [number | undefined, number | undefined];
}

export function passes(brush: Brush, choice: number[], accuracy: number): boolean {
  for (const [d, allowed] of brush.options) if (!allowed.has(choice[d])) return false;
  const [lo, hi] = brush.accuracy;
  return !(lo !== undefined && accuracy < lo) && !(hi !== undefined && accuracy > hi);
}

// "3:0.2;5:-" and back: the coordinator's own notation, so that the address bar and the request agree.
export function brushText(options: Brush["options"]): string {
  return [...options]
    .sort((a, b) => a[0] - b[0])
    .map(([d, set]) => `${d}:${[...set].sort((a, b) => a - b).map((o) => (o < 0 ? "-" : o)).join(".")}`)
    .join(";");
}

export function brushOf(text: string | null): Brush["options"] {
  const out = new Map<number, Set<number>>();
  for (const part of (text ?? "").split(";")) {
    const m = /^(\d+):((?:\d+|-)(?:\.(?:\d+|-))*)$/.exec(part);
    if (m) out.set(Number(m[1]), new Set(m[2].split(".").map((o) => (o === "-" ? -1 : Number(o)))));
  }
  return out;
}

const TOP = 58;
const BOTTOM = 24;
const SIDE = 30;

interface Props {
  decisions: Decision[];
  data: Choices;
  brush: Brush;
  height: number;
  onBrush: (brush: Brush) => void;
  onPick: (code: string) => void;
}

function optionsOf(decision: Decision, d: number, data: Choices): number[] {
  const all = decision.options.map((_, o) => o);
  return data.choices.some((c) => c[d] === -1) ? [-1, ...all] : all;
}

export function Parallel({ decisions, data, brush, height, onBrush, onPick }: Props) {
  const [host, width] = useWidth<HTMLDivElement>();
  const [drag, setDrag] = useState<{ axis: number; from: number; to: number } | null>(null);
  const svg = useRef<SVGSVGElement>(null);
  const axes = decisions.length + 1;
  const inner = Math.max(width, 2 * SIDE + 60 * (axes - 1) + 40);
  const x = (axis: number) => SIDE + (axis * (inner - 2 * SIDE - 30)) / Math.max(1, axes - 1);
  const bottom = height - BOTTOM;
  const lists = decisions.map((decision, d) => optionsOf(decision, d, data));
  const accuracies = data.accuracy;
  const lo = accuracies.length ? accuracies[accuracies.length - 1] : 0;
  const hi = accuracies.length ? accuracies[0] : 1;
  const yAccuracy = linear([lo, hi === lo ? lo + 0.01 : hi], [bottom, TOP]);
  const band = (d: number) => (bottom - TOP) / lists[d].length;
  const middle = (d: number, option: number) => bottom - (lists[d].indexOf(option) + 0.5) * band(d);
  // Inside the band of an option better architectures run higher, so that lines do not lie on each other.
  const y = (d: number, option: number, share: number) => middle(d, option) - (share - 0.5) * band(d) * 0.62;

  const toggle = (d: number, option: number) => {
    const options = new Map(brush.options);
    const set = new Set(options.get(d) ?? []);
    if (set.has(option)) set.delete(option);
    else set.add(option);
    if (set.size === 0 || set.size === lists[d].length) options.delete(d);
    else options.set(d, set);
    onBrush({ ...brush, options });
  };
  const finish = () => {
    if (!drag) return;
    setDrag(null);
    const [a, b] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (b - a < 5) return;
    if (drag.axis === decisions.length) {
      const back = linear([bottom, TOP], [lo, hi]);
      const end = 6; // pixels from an end of the axis that mean the end itself
      const from = b >= bottom - end ? undefined : Number(back(b).toFixed(5));
      const to = a <= TOP + end ? undefined : Number(back(a).toFixed(5));
      return onBrush({ ...brush, accuracy: [from, to] });
    }
    const set = new Set(lists[drag.axis].filter((o) => middle(drag.axis, o) >= a && middle(drag.axis, o) <= b));
    if (!set.size) return;
    const options = new Map(brush.options);
    if (set.size === lists[drag.axis].length) options.delete(drag.axis);
    else options.set(drag.axis, set);
    onBrush({ ...brush, options });
  };
  const at = (e: PointerEvent) => e.clientY - svg.current!.getBoundingClientRect().top;
  const n = accuracies.length;
  const order = accuracies.map((_, i) => n - 1 - i); // the best are drawn last, on top
  const [from, to] = brush.accuracy;
  return (
    <div class="chart-scroll" ref={host} tabIndex={0} role="group" aria-label="Architectures across the decisions">
      {width > 0 && (
        <svg
          ref={svg}
          class="drawn parallel"
          width={inner}
          height={height}
          role="group"
          aria-label={`Parallel coordinates of ${n} architectures over ${decisions.length} decisions`}
          onPointerUp={finish}
          onPointerLeave={finish}
          onPointerMove={(e) => drag && setDrag({ ...drag, to: at(e) })}
        >
          {order.map((i) => {
            const share = n > 1 ? 1 - i / (n - 1) : 1;
            const points = data.choices[i].map((o, d) => `${x(d).toFixed(1)},${y(d, o, share).toFixed(1)}`);
            points.push(`${x(decisions.length).toFixed(1)},${yAccuracy(accuracies[i]).toFixed(1)}`);
            const on = passes(brush, data.choices[i], accuracies[i]);
            return (
              <polyline key={data.code[i]} class={`thread ${on ? rampClass(share) : "off"}`} points={points.join(" ")} onClick={() => onPick(data.code[i])}>
                <title>{`${data.code[i]}: ${percent(accuracies[i])}`}</title>
              </polyline>
            );
          })}
          {decisions.map((decision, d) => (
            <g>
              <line class="axis" x1={x(d)} x2={x(d)} y1={TOP} y2={bottom} />
              <rect
                class="grip"
                x={x(d) - 9}
                y={TOP}
                width={18}
                height={bottom - TOP}
                onPointerDown={(e) => setDrag({ axis: d, from: at(e), to: at(e) })}
              />
              <text class="axis-name" x={x(d)} y={TOP - 8} transform={`rotate(-32 ${x(d)} ${TOP - 8})`}>
                {shorten(decision.name, 14)}
                <title>{decision.name}</title>
              </text>
              {lists[d].map((o) => {
                const words = o < 0 ? "no effect" : String(decision.options[o]);
                const pressed = brush.options.get(d)?.has(o) ?? false;
                const press = () => toggle(d, o);
                return (
                  <g
                    class={`option ${pressed ? "pressed" : ""}`}
                    role="button"
                    tabindex={0} // the case that SVG knows
                    aria-pressed={pressed}
                    aria-label={`${decision.name}: ${words}`}
                    onClick={press}
                    onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), press())}
                  >
                    <rect x={x(d) - 25} y={middle(d, o) - 9} width={50} height={18} rx={4} />
                    <text x={x(d)} y={middle(d, o) + 4}>
                      {shorten(words, 8)}
                    </text>
                    <title>{words}</title>
                  </g>
                );
              })}
            </g>
          ))}
          <g>
            <line class="axis strong" x1={x(decisions.length)} x2={x(decisions.length)} y1={TOP} y2={bottom} />
            <text class="axis-name" x={x(decisions.length)} y={TOP - 8} transform={`rotate(-32 ${x(decisions.length)} ${TOP - 8})`}>
              accuracy
            </text>
            {ticks(lo, hi, 5).map((t) => (
              <text class="tick" x={x(decisions.length) + 7} y={yAccuracy(t) + 4}>
                {percent(t, 1)}
              </text>
            ))}
            {(from !== undefined || to !== undefined) && (
              <rect class="brush" x={x(decisions.length) - 6} width={12} y={yAccuracy(to ?? hi)} height={Math.max(2, yAccuracy(from ?? lo) - yAccuracy(to ?? hi))} />
            )}
            <rect
              class="grip"
              x={x(decisions.length) - 9}
              y={TOP}
              width={18}
              height={bottom - TOP}
              onPointerDown={(e) => setDrag({ axis: decisions.length, from: at(e), to: at(e) })}
            />
          </g>
          {drag && <rect class="brush" x={x(drag.axis) - 8} width={16} y={Math.min(drag.from, drag.to)} height={Math.abs(drag.to - drag.from)} />}
        </svg>
      )}
    </div>
  );
}
