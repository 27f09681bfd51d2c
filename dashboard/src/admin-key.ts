import { useSyncExternalStore } from 'react';

/** Gone when the tab is closed; never in `localStorage` and never in a cookie. */
const STORAGE_NAME = 'event-tracker-admin-key';

interface KeyState {
  key: string;
  /** Why the API wants a key, or another one; undefined while it does not. */
  wanted: string | undefined;
}

let state: KeyState = { key: sessionStorage.getItem(STORAGE_NAME) ?? '', wanted: undefined };
const listeners = new Set<() => void>();

export function useKeyState(): KeyState {
  return useSyncExternalStore(subscribe, () => state);
}

export function adminKey(): string {
  return state.key;
}

/** Has the page ask for a key, saying why. A new page starts without the question of the last one. */
export function wantKey(why: string | undefined): void {
  if (state.wanted !== why) set({ ...state, wanted: why });
}

export function keepKey(key: string): void {
  sessionStorage.setItem(STORAGE_NAME, key);
  set({ key, wanted: undefined });
}

export function forgetKey(): void {
  sessionStorage.removeItem(STORAGE_NAME);
  set({ key: '', wanted: undefined });
}

function set(next: KeyState): void {
  state = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
