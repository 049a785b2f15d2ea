// figure: the frame around every chart: a title, what to read from it, the same numbers as a table, and downloads.
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { saveBlob } from "../api/client";
import { Button } from "./basics";
import { savePicture } from "./picture";

export interface Twin {
  columns: string[];
  rows: (string | number | null)[][];
}

function csvOf(twin: Twin): string {
  const cell = (v: string | number | null) => {
    const text = v == null ? "" : String(v);
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return [twin.columns, ...twin.rows].map((r) => r.map(cell).join(",")).join("\n") + "\n";
}

const MOST = 500;

export function Figure(props: {
  title: string;
  about?: ComponentChildren;
  name: string; // of downloaded files
  controls?: ComponentChildren;
  twin: () => Twin;
  children: ComponentChildren;
}) {
  const [table, setTable] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const twin = table ? props.twin() : null;
  return (
    <figure class="figure panel" aria-label={props.title}>
      <figcaption>
        <h3>{props.title}</h3>
        <div class="figure-tools">
          {props.controls}
          <Button small kind="quiet" aria-pressed={table} onClick={() => setTable(!table)}>
            {table ? "Chart" : "Table"}
          </Button>
          <Button small kind="quiet" onClick={() => saveBlob(new Blob([csvOf(props.twin())], { type: "text/csv" }), `${props.name}.csv`)}>
            CSV
          </Button>
          {!table &&
            (["png", "svg"] as const).map((kind) => (
              <Button small kind="quiet" onClick={() => frame.current && void savePicture(frame.current, kind, props.name)}>
                {kind.toUpperCase()}
              </Button>
            ))}
        </div>
      </figcaption>
      {twin ? (
        <div class="twin" tabIndex={0} role="region" aria-label={`${props.title} as a table`}>
          <table class="plain">
            <thead>
              <tr>
                {twin.columns.map((c) => (
                  <th scope="col">{c}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {twin.rows.slice(0, MOST).map((r) => (
                <tr>
                  {r.map((v) => (
                    <td class={typeof v === "number" ? "num" : ""}>{v ?? "–"}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {twin.rows.length > MOST && <p class="note">The first {MOST} rows; the CSV has all {twin.rows.length}.</p>}
        </div>
      ) : (
        <div class="figure-body" ref={frame}>
          {props.children}
        </div>
      )}
      {props.about && <p class="about">{props.about}</p>}
    </figure>
  );
}
