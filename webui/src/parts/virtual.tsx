// virtual: a table of any length that draws only the rows in view.
//
// The caller says how many rows there are and gives row i or undefined while it is not loaded; onView tells the caller
// which rows are looked at. Browsers limit the height of an element, so above MAX_HEIGHT the scroll bar is scaled.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Column<R> {
  id: string;
  head: ComponentChildren;
  name: string; // for screen readers and tooltips
  width: string; // a CSS grid track
  sort?: string; // the server's name for sorting by it
  numeric?: boolean;
  cell: (row: R, index: number) => ComponentChildren;
}

const MAX_HEIGHT = 8_000_000;
const OVERSCAN = 6;

interface Props<R> {
  label: string;
  columns: Column<R>[];
  total: number;
  row: (index: number) => R | undefined;
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

export function VirtualTable<R>(props: Props<R>) {
  const { columns, total, row, rowHeight = 34, maxRows = 18 } = props;
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(rowHeight * maxRows);
  const [active, setActive] = useState(0);
  const tracks = columns.map((c) => c.width).join(" ");

  const full = total * rowHeight;
  const shown = Math.min(full, MAX_HEIGHT);
  const scale = shown > height && full > shown ? (full - height) / (shown - height) : 1;
  const offset = top * scale;
  const first = Math.max(0, Math.floor(offset / rowHeight) - OVERSCAN);
  const last = Math.min(total - 1, Math.ceil((offset + height) / rowHeight) + OVERSCAN);

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
  useEffect(() => {
    body.current!.scrollTop = 0;
    setActive(0);
  }, [props.resetKey]);

  const show = (index: number) => {
    const element = body.current!;
    const y = index * rowHeight;
    if (y < offset) element.scrollTop = y / scale;
    else if (y + rowHeight > offset + height - 2) element.scrollTop = (y + rowHeight - height + 2) / scale;
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
    } else if (event.key === "Enter") {
      const value = row(active);
      if (value !== undefined) props.onOpen?.(value);
    }
  };

  const rows = [];
  for (let i = first; i <= last; i++) {
    const value = row(i);
    const key = value === undefined ? `#${i}` : props.keyOf(value);
    const picked = value !== undefined && key === props.selected;
    rows.push(
      <div
        key={key}
        role="row"
        id={`${props.label}-row-${i}`}
        aria-rowindex={i + 2}
        aria-selected={picked}
        class={`vrow ${picked ? "picked" : ""} ${i === active ? "active" : ""} ${value === undefined ? "ghost" : ""}`}
        style={{ transform: `translateY(${i * rowHeight - offset + top}px)`, height: `${rowHeight}px`, gridTemplateColumns: tracks }}
        onClick={() => {
          setActive(i);
          if (value !== undefined) props.onOpen?.(value);
        }}
      >
        {columns.map((c) => (
          <div key={c.id} role="gridcell" class={`vcell ${c.numeric ? "num" : ""} col-${c.id}`}>
            {value === undefined ? "" : c.cell(value, i)}
          </div>
        ))}
      </div>,
    );
  }
  const visible = Math.min(total, maxRows);
  return (
    <div
      class="vtable"
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={total + 1}
      aria-colcount={columns.length}
      aria-activedescendant={total ? `${props.label}-row-${active}` : undefined}
      onKeyDown={onKey}
    >
      <div class="vscroll-x">
        <div class="vhead" role="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
          {columns.map((c) => {
            const on = c.sort !== undefined && c.sort === props.sort;
            return (
              <div
                key={c.id}
                role="columnheader"
                class={`vcell ${c.numeric ? "num" : ""} col-${c.id}`}
                aria-sort={on ? (props.order === "asc" ? "ascending" : "descending") : c.sort ? "none" : undefined}
              >
                {c.sort && props.onSort ? (
                  <button type="button" title={`Sort by ${c.name}`} onClick={() => props.onSort!(c.sort!)}>
                    {c.head}
                    <span class="arrow" aria-hidden="true">
                      {on ? (props.order === "asc" ? "▲" : "▼") : ""}
                    </span>
                  </button>
                ) : (
                  <span title={c.name}>{c.head}</span>
                )}
              </div>
            );
          })}
        </div>
        <div
          class="vbody"
          ref={body}
          tabIndex={0}
          role="rowgroup"
          style={{ height: `${visible * rowHeight}px` }}
          onScroll={(e) => setTop(e.currentTarget.scrollTop)}
        >
          <div class="vspace" style={{ height: `${shown}px` }}>
            {rows}
          </div>
        </div>
      </div>
    </div>
  );
}
