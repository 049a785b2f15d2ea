// deletions: a search is hidden at once and deleted a few seconds later, so that it can be taken back. Leaving the page
// carries out what is waiting: the user asked for it.
import { signal } from "@preact/signals";
import { api } from "../api/client";
import type { Search } from "../api/types";
import { tell } from "./toast";
import { asProblem } from "./use";

export const UNDO_S = 8;
export const hidden = signal<ReadonlySet<number>>(new Set());
const waiting = new Map<number, number>();

function show(id: number): void {
  const next = new Set(hidden.value);
  next.delete(id);
  hidden.value = next;
}

async function carryOut(search: Search): Promise<void> {
  clearTimeout(waiting.get(search.id));
  waiting.delete(search.id);
  try {
    await api.deleteSearch(search.id);
  } catch (error) {
    show(search.id);
    tell(`“${search.name}” was not deleted: ${asProblem(error).message}`, { bad: true });
  }
}

export function deleteLater(search: Search): void {
  hidden.value = new Set([...hidden.value, search.id]);
  waiting.set(search.id, window.setTimeout(() => void carryOut(search), 1000 * UNDO_S));
  const leave = () => waiting.has(search.id) && void carryOut(search);
  addEventListener("pagehide", leave, { once: true });
  const undo = () => {
    clearTimeout(waiting.get(search.id));
    waiting.delete(search.id);
    show(search.id);
  };
  tell(`“${search.name}” is deleted.`, { undo }, 1000 * UNDO_S);
}
