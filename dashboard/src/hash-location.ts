import { useSyncExternalStore } from 'react';

/**
 * Where the page is, kept behind the `#`: `/#/live?userId=user-1`. So no page has the path of an API route, and the
 * server needs to know one file only. It is the location hook of wouter.
 *
 * wouter decodes a whole path before it looks for parameters in it, and a user whose id contains a `%` would then be
 * decoded twice. `%` is hidden from it, and `useParam` decodes a parameter, exactly once.
 */
export function useHashLocation(): [string, typeof navigate] {
  const hash = useSyncExternalStore(subscribe, readHash);
  return [hidePercent(hash.split('?', 1)[0] ?? '/'), navigate];
}

useHashLocation.hrefs = (path: string) => `#${path}`;

useHashLocation.searchHook = (): string => {
  const hash = useSyncExternalStore(subscribe, readHash);
  return hidePercent(hash.slice(hash.split('?', 1)[0]?.length));
};

function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (replace) {
    history.replaceState(null, '', `#${to}`);
    // Only a change by the user or through `location` is told by the browser itself.
    dispatchEvent(new HashChangeEvent('hashchange'));
  } else {
    location.hash = to;
  }
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

function readHash(): string {
  return location.hash.slice(1) || '/';
}

function hidePercent(text: string): string {
  return text.replaceAll('%', '%25');
}
