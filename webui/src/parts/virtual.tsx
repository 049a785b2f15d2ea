// virtual: a table of any length that draws only the rows in view.
//
// The caller says how many rows there are and gives row i or undefined while it is not loaded; onView tells the caller
// which rows are looked at. Row elements are a ring: while the table scrolls, the one that left the view gets the next
// row's content and place, and the others are not touched, so that a frame costs the few rows that are new in it.
//
// Browsers limit the height of an element, so the scrolled space of a long table is shorter than its rows. Row i stands
// at i * rowHeight - shift of that space: small steps (wheel, keys, touch) keep `shift`, so they move by pixels as in any
// list; a jump (the scroll bar) sets it to the place in proportion; and when the table rests the scroll bar is put where
// it belongs, which moves nothing in view.
import { type ComponentChildren, Component } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Column<R> {
  id: string;
  head: ComponentChildren;
  name: string; // for screen readers and tooltips
  width: string; // a CSS grid track
  sort?: string; // the server's name for sorting by it
  numeric?: boolean;
  cell: (row: R, index: number, marked: boolean) => ComponentChildren;
}

const MAX_HEIGHT = 4_000_000;
const OVERSCAN = 8;
const REST_MS = 200;

interface Props<R> {
  label: string;
  columns: Column<R>[]; // the same array as long as the cells show the same
  total: number;
  row: (index: number) => R | undefined;
  marked?: (index: number) => boolean; // handed to the cells of that row
  keyOf: (row: R) => string;
  rowHeight?: number;
  maxRows?: number;
  sort?: string;
  order?: "asc" | "desc";
  onSort?: (sort: string) => void;
  onView?: (first: number, last: number) => void;
  selected?: string;
  onOpen?: (row: R) => void;
  resetKey?: string; // a new value scrolls back to the top
}

interface LineProps<R> {
  id: string;
  index: number;
  value: R | undefined;
  marked: boolean;
  picked: boolean;
  active: boolean;
  y: number;
  height: number;
  columns: Column<R>[];
  tracks: string;
  open: (index: number) => void;
}

// Drawn again only when something it shows changed; what it does when pressed is looked up then.
abstract class Still<P> extends Component<P> {
  shouldComponentUpdate(next: P): boolean {
    for (const key in next) if (next[key] !== this.props[key as keyof typeof this.props] && typeof next[key] !== "function") return true;
    return false;
  }
}

class Line<R> extends Still<LineProps<R>> {
  render({ id, index, value, marked, picked, active, y, height, columns, tracks }: LineProps<R>) {
    return (
      <div
        role="row"
        id={id}
        aria-rowindex={index + 2}
        aria-selected={picked}
        class={`vrow${picked ? " picked" : ""}${active ? " active" : ""}${value === undefined ? " ghost" : ""}`}
        style={{ top: `${y}px`, height: `${height}px`, gridTemplateColumns: tracks }}
        onClick={() => this.props.open(this.props.index)}
      >
        {columns.map((c) => (
          <div key={c.id} role="gridcell" class={`vcell ${c.numeric ? "num" : ""} col-${c.id}`}>
            {value === undefined ? "" : c.cell(value, index, marked)}
          </div>
        ))}
      </div>
    );
  }
}

class Head<R> extends Still<Pick<Props<R>, "columns" | "sort" | "order" | "onSort"> & { tracks: string }> {
  render({ columns, tracks, sort, order, onSort }: this["props"]) {
    return (
      <div class="vhead" role="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
        {columns.map((c) => {
          const on = c.sort !== undefined && c.sort === sort;
          return (
            <div
              key={c.id}
              role="columnheader"
              class={`vcell ${c.numeric ? "num" : ""} col-${c.id}`}
              aria-sort={on ? (order === "asc" ? "ascending" : "descending") : c.sort ? "none" : undefined}
            >
              {c.sort && onSort ? (
                <button type="button" title={`Sort by ${c.name}`} onClick={() => this.props.onSort!(c.sort!)}>
                  {c.head}
                  <span class="arrow" aria-hidden="true">
                    {on ? (order === "asc" ? "▲" : "▼") : ""}
                  </span>
                </button>
              ) : (
                <span title={c.name}>{c.head}</span>
              )}
            </div>
          );
        })}
      </div>
    );
  }
}

// Where the table stands: pixels of the scrolled space, and how far the rows are ahead of it.
function useScroll(full: number, height: number, resetKey: string | undefined) {
  const body = useRef<HTMLDivElement>(null);
  const at = useRef({ top: 0, shift: 0, rest: 0 });
  const [, redraw] = useState(0);
  const space = Math.min(full, MAX_HEIGHT);
  const scale = full > space ? (full - height) / (space - height) : 1;
  const most = Math.max(0, full - height);

  const place = (offset: number) => {
    const to = Math.max(0, Math.min(most, offset));
    const { current } = at;
    current.top = Math.round(to / scale);
    current.shift = scale === 1 ? 0 : to - current.top;
    if (body.current) body.current.scrollTop = current.top;
    redraw((n) => n + 1);
  };
  const onScroll = () => {
    const { current } = at;
    const top = body.current!.scrollTop;
    const step = top - current.top;
    current.top = top;
    if (scale > 1) {
      if (Math.abs(step) > 2 * height) current.shift += Math.round(step * (scale - 1));
      current.shift = Math.max(-top, Math.min(most - top, current.shift));
      clearTimeout(current.rest);
      current.rest = window.setTimeout(() => place(current.top + current.shift), REST_MS);
    }
    redraw((n) => n + 1);
  };
  useEffect(() => () => clearTimeout(at.current.rest), []);
  useLayoutEffect(() => place(0), [resetKey]);
  return { body, space, onScroll, place, shift: at.current.shift, offset: Math.min(most, at.current.top + at.current.shift) };
}

export function VirtualTable<R>(props: Props<R>) {
  const { columns, total, row, rowHeight = 34, maxRows = 18 } = props;
  const [height, setHeight] = useState(rowHeight * maxRows);
  const [active, setActive] = useState(0);
  const { body, space, onScroll, place, shift, offset } = useScroll(total * rowHeight, height, props.resetKey);
  const tracks = columns.map((c) => c.width).join(" ");
  const inView = Math.ceil(height / rowHeight) + 1;
  const ring = inView + 2 * OVERSCAN;
  const first = Math.max(0, Math.floor(offset / rowHeight) - OVERSCAN);
  const last = Math.min(total - 1, first + ring - 1);

  useLayoutEffect(() => {
    const element = body.current!;
    const measure = () => setHeight(element.clientHeight || rowHeight * maxRows);
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [rowHeight, maxRows]);
  useEffect(() => {
    if (total) props.onView?.(first, last);
  }, [first, last, total, props.resetKey]);
  useLayoutEffect(() => setActive(0), [props.resetKey]);

  const show = (index: number) => {
    const y = index * rowHeight;
    if (y < offset) place(y);
    else if (y + rowHeight > offset + height) place(y + rowHeight - height);
  };
  const open = (index: number) => {
    setActive(index);
    const value = row(index);
    if (value !== undefined) props.onOpen?.(value);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget && event.target !== body.current) return; // a button inside has its own keys
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    const to: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: total - 1,
    };
    if (event.key in to) {
      event.preventDefault();
      const next = Math.max(0, Math.min(total - 1, to[event.key]));
      setActive(next);
      show(next);
    } else if (event.key === "Enter") open(active);
  };

  const lines = [];
  for (let slot = 0; slot < ring; slot++) {
    const i = first + ((slot - (first % ring) + ring) % ring); // the one row from `first` on that is `slot` modulo ring
    if (i > last) continue;
    const value = row(i);
    lines.push(
      <Line
        key={slot}
        id={`${props.label}-row-${i}`}
        index={i}
        value={value}
        marked={props.marked?.(i) ?? false}
        picked={value !== undefined && props.keyOf(value) === props.selected}
        active={i === active}
        y={i * rowHeight - shift}
        height={rowHeight}
        columns={columns as Column<unknown>[]}
        tracks={tracks}
        open={open}
      />,
    );
  }
  return (
    <div
      class="vtable"
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={total + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active >= first && active <= last ? `${props.label}-row-${active}` : undefined}
      onKeyDown={onKey}
    >
      <div class="vscroll-x">
        <Head columns={columns as Column<unknown>[]} tracks={tracks} sort={props.sort} order={props.order} onSort={props.onSort} />
        <div
          class="vbody"
          ref={body}
          tabIndex={0}
          role="rowgroup"
          style={{ height: `${Math.min(total, maxRows) * rowHeight}px` }}
          onScroll={onScroll}
        >
          <div class="vspace" style={{ height: `${space}px` }}>
            {lines}
          </div>
        </div>
      </div>
    </div>
  );
}
