const memory: Record<string, string> = {};

/** Keeps a text for this site in the browser, or as long as the page lives where that is blocked. */
export function keep(name: string, text: string): void {
  memory[name] = text;
  try {
    localStorage.setItem(name, text);
  } catch {
    // Blocked or full: the page has it.
  }
}

export function kept(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? memory[name];
  } catch {
    return memory[name];
  }
}

export function forget(name: string): void {
  delete memory[name];
  try {
    localStorage.removeItem(name);
  } catch {
    // Blocked: there was nothing.
  }
}
