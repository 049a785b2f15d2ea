// basics: the small parts every page is made of: buttons, badges, bars, and the states "loading", "empty" and "failed",
// each of which says in words what is going on and what can be done.
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../api/client";
import type { SearchState } from "../api/types";
import { percent } from "../format";

type ButtonProps = JSX.HTMLAttributes<HTMLButtonElement> & {
  kind?: "primary" | "plain" | "quiet" | "danger";
  small?: boolean;
  busy?: boolean;
  disabled?: boolean;
  type?: "button" | "submit";
};

export function Button({ kind = "plain", small, busy, disabled, type = "button", children, class: extra, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      class={`button ${kind} ${small ? "small" : ""} ${extra ?? ""}`}
      disabled={disabled || busy}
      aria-busy={busy ? "true" : undefined}
    >
      {children}
    </button>
  );
}

const stateWords: Record<string, string> = {
  running: "Running",
  paused: "Paused",
  done: "Done",
  cancelled: "Cancelled",
  failed: "Failed",
};

export function StateBadge({ state }: { state: SearchState | string }) {
  return <span class={`badge state-${state}`}>{stateWords[state] ?? state}</span>;
}

export function Bar({ value, of, label }: { value: number; of: number | null | undefined; label: string }) {
  const known = of != null && of > 0;
  const part = known ? Math.min(1, value / of) : 0;
  return (
    <div
      class={`bar ${known ? "" : "unknown"}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={known ? of : undefined}
      aria-valuenow={known ? value : undefined}
      title={known ? `${label}: ${percent(part, 1)}` : label}
    >
      <div style={{ width: known ? `${100 * part}%` : "100%" }} />
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="note" role="status">
      <span class="pulse" aria-hidden="true" /> Loading {what} …
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

const advice: Record<string, string> = {
  unreachable: "Check that subrankd is running and that this machine can reach it. The page tries again by itself.",
  unauthorized: "Sign in with a token that the coordinator knows.",
  forbidden: "Your token’s role does not allow this. Ask an administrator for one with the right role.",
  "not-found": "It may have been deleted, or the address may be mistyped.",
  busy: "The coordinator is busy. Try again in a moment.",
  "disk-full": "The coordinator’s disk is full. Free some space there, then try again.",
};

export function Failure({ problem, retry, what }: { problem: Problem; retry?: () => void; what?: string }) {
  const list = problem.document.problems;
  return (
    <div class="failure" role="alert">
      <p>
        <strong>{what ? `${what}: ` : ""}</strong>
        {problem.message}
        {problem.where && (
          <>
            {" "}
            <span class="where">
              at <code>{problem.where}</code>
            </span>
          </>
        )}
      </p>
      {advice[problem.type] && <p class="muted">{advice[problem.type]}</p>}
      {list && list.length > 0 && (
        <ul class="problems">
          {list.map((p) => (
            <li>
              <code>{p.tensor}</code> {p.problem}
            </li>
          ))}
        </ul>
      )}
      {retry && (
        <Button small onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

// What a loaded page shows before it has its value.
export function Pending({ what, error, reload }: { what: string; error?: Problem; reload: () => void }) {
  return error ? <Failure problem={error} retry={reload} what={`${what[0].toUpperCase()}${what.slice(1)}`} /> : <Loading what={what} />;
}

export function Tile({ label, children, sub }: { label: string; children: ComponentChildren; sub?: ComponentChildren }) {
  return (
    <div class="tile">
      <dt>{label}</dt>
      <dd>
        <span class="big">{children}</span>
        {sub && <span class="sub">{sub}</span>}
      </dd>
    </div>
  );
}

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [state, setState] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("Copied");
    } catch {
      // The clipboard needs a secure origin; a plain-HTTP coordinator has the older way.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      setState(document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
      area.remove();
    }
    setTimeout(() => setState(""), 2000);
  };
  return (
    <Button small kind="quiet" onClick={copy} aria-live="polite">
      {state || label}
    </Button>
  );
}

export function CodeBlock({ text, label }: { text: string; label: string }) {
  return (
    <div class="codeblock">
      <div class="codeblock-bar">
        <span>{label}</span>
        <Copy text={text} />
      </div>
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
    </div>
  );
}

export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren; side?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    // At once, so that nothing typed meanwhile reaches what lies below.
    const dialog = ref.current!;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    dialog.focus(); // not its first button: a key still held down would press that
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.side ? "side" : ""}
      tabIndex={-1}
      aria-label={props.title}
      onCancel={(e) => (e.preventDefault(), props.onClose())}
      onClick={(e) => e.target === ref.current && e.detail < 2 && props.onClose()} // not by the second click of the two that opened it
    >
      <div class="dialog-in">
        <header>
          <h2>{props.title}</h2>
          <Button kind="quiet" small onClick={props.onClose} aria-label="Close">
            ✕
          </Button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

export function Confirm(props: {
  title: string;
  children: ComponentChildren;
  verb: string;
  busy?: boolean;
  error?: Problem;
  onYes: () => void;
  onNo: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onNo}>
      <div>{props.children}</div>
      {props.error && <Failure problem={props.error} />}
      <footer class="actions end">
        <Button onClick={props.onNo}>Keep</Button>
        <Button kind="danger" busy={props.busy} onClick={props.onYes}>
          {props.verb}
        </Button>
      </footer>
    </Dialog>
  );
}

export interface TabItem {
  id: string;
  label: string;
  note?: string;
}

export function Tabs({ items, current, onPick, label }: { items: TabItem[]; current: string; onPick: (id: string) => void; label: string }) {
  const move = (event: KeyboardEvent, index: number) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    const next = items[(index + step + items.length) % items.length];
    onPick(next.id);
    ((event.currentTarget as HTMLElement).parentElement!.children[items.indexOf(next)] as HTMLElement).focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label}>
      {items.map((item, i) => (
        <button
          type="button"
          role="tab"
          id={`tab-${item.id}`}
          aria-selected={item.id === current}
          tabIndex={item.id === current ? 0 : -1}
          onClick={() => onPick(item.id)}
          onKeyDown={(e) => move(e, i)}
        >
          {item.label}
          {item.note && <span class="tab-note">{item.note}</span>}
        </button>
      ))}
    </div>
  );
}
