// form: labelled fields whose errors come from the coordinator. A field says which JSON pointer it edits (`at`); a
// Problem whose `where` is that pointer, or lies below it, is shown beside it.
import { type ComponentChildren, createContext } from "preact";
import { useContext, useId } from "preact/hooks";
import type { Problem } from "../api/client";
import { Failure } from "./basics";

interface Refusal {
  problem: Problem | undefined;
  fields: string[];
}
const RefusalContext = createContext<Refusal>({ problem: undefined, fields: [] });

function normal(where: string): string {
  return `/${where.replace(/^#?\/*/, "")}`;
}

// The field a refusal belongs to: the one whose pointer is the longest prefix of `where`; "" when there is none.
export function fieldOf(where: string, fields: string[]): string {
  const place = normal(where);
  let best = "";
  for (const at of fields) if ((place === at || place.startsWith(`${at}/`)) && at.length > best.length) best = at;
  return best;
}

export function Refused(props: { problem: Problem | undefined; fields: string[]; children: ComponentChildren }) {
  return <RefusalContext.Provider value={{ problem: props.problem, fields: props.fields }}>{props.children}</RefusalContext.Provider>;
}

// The refusal that no field shows.
export function RefusedElsewhere({ what }: { what: string }) {
  const { problem, fields } = useContext(RefusalContext);
  if (!problem) return null;
  if (problem.where && fieldOf(problem.where, fields) && !problem.document.problems) {
    return (
      <p class="failure" role="alert">
        <strong>{what}:</strong> see the field marked above.
      </p>
    );
  }
  return <Failure problem={problem} what={what} />;
}

export function Field(props: {
  label: string;
  at?: string;
  hint?: ComponentChildren;
  error?: string;
  wide?: boolean;
  children: (attributes: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ComponentChildren;
}) {
  const id = useId();
  const { problem, fields } = useContext(RefusalContext);
  const mine = problem && props.at && problem.where && fieldOf(problem.where, fields) === props.at;
  const rest = mine && normal(problem.where) !== props.at ? ` (${problem.where})` : "";
  const error = props.error ?? (mine ? problem.message + rest : undefined);
  const about = [props.hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return (
    <div class={`field ${props.wide ? "wide" : ""} ${error ? "invalid" : ""}`} data-at={props.at}>
      <label for={id}>{props.label}</label>
      {props.children({ id, "aria-describedby": about || undefined, "aria-invalid": error ? true : undefined })}
      {props.hint && (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
      {error && (
        <p class="error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

export function Text(props: {
  label: string;
  at?: string;
  value: string;
  onChange: (value: string) => void;
  hint?: ComponentChildren;
  error?: string;
  placeholder?: string;
  required?: boolean;
  wide?: boolean;
  lines?: number;
  mono?: boolean;
  inputMode?: "numeric" | "decimal" | "text";
}) {
  const { value, onChange, placeholder, required, lines, mono, inputMode } = props;
  const common = { value, placeholder, required, class: mono ? "mono" : "", spellcheck: !mono };
  return (
    <Field {...props}>
      {(a) =>
        lines ? (
          <textarea {...a} {...common} rows={lines} onInput={(e) => onChange(e.currentTarget.value)} />
        ) : (
          <input {...a} {...common} type="text" inputMode={inputMode} autocomplete="off" onInput={(e) => onChange(e.currentTarget.value)} />
        )
      }
    </Field>
  );
}

export function Select<V extends string>(props: {
  label: string;
  at?: string;
  value: V;
  options: { value: V; label: string }[];
  onChange: (value: V) => void;
  hint?: ComponentChildren;
  error?: string;
  wide?: boolean;
}) {
  return (
    <Field {...props}>
      {(a) => (
        <select {...a} value={props.value} onChange={(e) => props.onChange(e.currentTarget.value as V)}>
          {props.options.map((o) => (
            <option value={o.value} selected={o.value === props.value}>
              {o.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Check(props: { label: string; checked: boolean; onChange: (on: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={props.checked} onChange={(e) => props.onChange(e.currentTarget.checked)} />
      <span>{props.label}</span>
    </label>
  );
}

// A choice among few, each with a line of explanation.
export function Cards<V extends string>(props: {
  legend: string;
  value: V;
  options: { value: V; label: string; about: string }[];
  onChange: (value: V) => void;
}) {
  const name = useId();
  return (
    <fieldset class="cards">
      <legend>{props.legend}</legend>
      {props.options.map((o) => (
        <label class={o.value === props.value ? "card picked" : "card"}>
          <input type="radio" name={name} value={o.value} checked={o.value === props.value} onChange={() => props.onChange(o.value)} />
          <span class="card-label">{o.label}</span>
          <span class="card-about">{o.about}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function FilePick(props: {
  label: string;
  at?: string;
  hint?: ComponentChildren;
  accept?: string;
  multiple?: boolean;
  chosen: string;
  onPick: (files: File[]) => void;
  wide?: boolean;
}) {
  return (
    <Field {...props}>
      {(a) => (
        <div
          class="drop"
          onDragOver={(e) => (e.preventDefault(), e.currentTarget.classList.add("over"))}
          onDragLeave={(e) => e.currentTarget.classList.remove("over")}
          onDrop={(e) => {
            e.preventDefault();
            e.currentTarget.classList.remove("over");
            const files = [...(e.dataTransfer?.files ?? [])];
            if (files.length) props.onPick(props.multiple ? files : files.slice(0, 1));
          }}
        >
          <input
            {...a}
            type="file"
            accept={props.accept}
            multiple={props.multiple}
            onChange={(e) => e.currentTarget.files?.length && props.onPick([...e.currentTarget.files])}
          />
          <span class="drop-text">
            {props.chosen || (
              <>
                Drop {props.multiple ? "files" : "a file"} here or <u>choose</u>
              </>
            )}
          </span>
        </div>
      )}
    </Field>
  );
}
