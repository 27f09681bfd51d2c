import { type Tracker } from './tracker.ts';

/** What is captured by itself, where it is asked for; `attributes` are clicks on elements with `data-track-event`. */
export type Capture = 'pageViews' | 'clicks' | 'hovers' | 'attributes';

const TEXT_LENGTH_MAX = 100;
/** Whatever else the pointer crosses says nothing. */
const INTERACTIVE = 'a,button,input,select,textarea,summary,[role=button],[data-track-event]';

/** An element as clicks and hovers tell of it; what a visitor has typed is no part of that. */
export function describeElement(element: Element): Record<string, string> {
  return {
    tag: element.tagName.toLowerCase(),
    id: element.id,
    className: (element.getAttribute('class') ?? '').slice(0, TEXT_LENGTH_MAX),
    text: (element.textContent ?? '').trim().replace(/\s+/g, ' ').slice(0, TEXT_LENGTH_MAX),
  };
}

/** Captures what is named until the function that it returns is called. */
export function startCapture(
  tracker: Pick<Tracker, 'track' | 'page'>,
  kinds: readonly Capture[],
): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  if (kinds.includes('clicks') || kinds.includes('attributes')) {
    const onClick = ({ target }: Event) => {
      if (!(target instanceof Element)) return;
      const element = target.closest(INTERACTIVE) ?? target;
      const { event, ...attributes } = trackAttributes(element);
      if (!event && !kinds.includes('clicks')) return;
      tracker.track(event || 'click', { ...describeElement(element), ...attributes });
    };
    document.addEventListener('click', onClick, { capture: true, signal });
  }
  if (kinds.includes('hovers')) captureHovers(tracker, signal);
  if (kinds.includes('pageViews')) capturePageViews(tracker, signal);
  return () => stopping.abort();
}

function captureHovers(tracker: Pick<Tracker, 'track'>, signal: AbortSignal): void {
  let hovered: Element | null = null;
  const onHover = ({ target }: Event) => {
    const element = target instanceof Element ? target.closest(INTERACTIVE) : null;
    // Moving about within an element is no new hover.
    if (element && element !== hovered) {
      tracker.track('hover', { ...describeElement(element), ...trackAttributes(element) });
    }
    hovered = element;
  };
  document.addEventListener('mouseover', onHover, { capture: true, signal });
}

function capturePageViews(tracker: Pick<Tracker, 'page'>, signal: AbortSignal): void {
  let path: string | undefined;
  const view = () => {
    path = location.pathname;
    tracker.page();
  };
  watchHistory(() => location.pathname !== path && view(), signal);
  // A page that comes back as it was left is looked at once more.
  addEventListener('pageshow', ({ persisted }) => persisted && view(), { signal });
  view();
}

/** `data-track-item-id="7"` as `{ itemId: '7' }`. */
function trackAttributes(element: Element): Record<string, string | undefined> {
  const found = Object.entries((element as HTMLElement).dataset ?? {}).filter(([name]) =>
    /^track[A-Z]/.test(name),
  );
  return Object.fromEntries(found.map(([name, value]) => [name[5]!.toLowerCase() + name.slice(6), value]));
}

/** Calls back after every navigation within the page, until the signal. */
function watchHistory(onNavigation: () => void, signal: AbortSignal): void {
  addEventListener('popstate', onNavigation, { signal });
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name].bind(history);
    const wrapped: typeof original = (...args) => {
      original(...args);
      if (!signal.aborted) onNavigation();
    };
    history[name] = wrapped;
    // Where somebody has wrapped it once more, it stays in place, and is silent.
    signal.addEventListener('abort', () => {
      if (history[name] === wrapped) history[name] = original;
    });
  }
}
