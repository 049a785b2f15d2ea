// toast: one short message at the bottom of the page, read out by screen readers; it may offer to take something back.
import { signal } from "@preact/signals";

export interface Toast {
  text: string;
  bad?: boolean;
  undo?: () => void;
}

export const toast = signal<Toast | null>(null);
let timer = 0;

export function tell(text: string, more: Omit<Toast, "text"> = {}, ms = 5000): void {
  clearTimeout(timer);
  toast.value = { text, ...more };
  timer = window.setTimeout(() => (toast.value = null), ms);
}
