import { lazy, Suspense, useEffect, useRef } from 'react';
import { Redirect, Route, Switch, useLocation } from 'wouter';
import { useKeyState, wantKey } from './admin-key.ts';
import { Boundary } from './components/boundary.tsx';
import { Skeleton } from './components/states.tsx';
import { KeyPrompt } from './key-prompt.tsx';
import { Navigation } from './navigation.tsx';

const Overview = lazy(() => import('./pages/overview.tsx'));
const Live = lazy(() => import('./pages/live.tsx'));
const User = lazy(() => import('./pages/user.tsx'));
const Event = lazy(() => import('./pages/event.tsx'));
const Pipeline = lazy(() => import('./pages/pipeline.tsx'));
const DeadLetters = lazy(() => import('./pages/dead-letters.tsx'));
const Send = lazy(() => import('./pages/send.tsx'));
const Shop = lazy(() => import('./pages/shop.tsx'));

export function App() {
  const [location] = useLocation();
  // These have pages of their own, and stay one page here.
  const page = /^\/(shop|dead-letters)/.exec(location)?.[0] ?? location;
  const { key, wanted } = useKeyState();
  const content = useContentOf(page);

  return (
    <div className="app">
      <Navigation />
      <main id="content" className="content" tabIndex={-1} ref={content}>
        {wanted === undefined ? (
          // Another page starts afresh, and so does the same page with another user or another key.
          <Boundary key={`${page} ${key}`}>
            <Suspense fallback={<Skeleton />}>
              <Pages />
            </Suspense>
          </Boundary>
        ) : (
          <KeyPrompt why={wanted} />
        )}
      </main>
    </div>
  );
}

/** Puts whoever goes to another page at its beginning: eyes, keyboard and screen reader. */
function useContentOf(page: string) {
  const content = useRef<HTMLElement>(null);
  const shown = useRef(page);
  useEffect(() => {
    if (shown.current === page) return;
    shown.current = page;
    wantKey(undefined);
    scrollTo(0, 0);
    content.current?.focus({ preventScroll: true });
  }, [page]);
  return content;
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={Overview} />
      <Route path="/live" component={Live} />
      <Route path="/users/:userId?" component={User} />
      <Route path="/events/:eventId" component={Event} />
      <Route path="/pipeline" component={Pipeline} />
      <Route path="/dead-letters/:id?" component={DeadLetters} />
      <Route path="/send" component={Send} />
      <Route path="/shop/*?" component={Shop} />
      <Route>
        <Redirect to="/" replace />
      </Route>
    </Switch>
  );
}
