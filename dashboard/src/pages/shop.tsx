import { TrackerProvider, usePageView, useTracker } from '@event-tracker/tracker/react';
import { useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { Page } from '../components/page.tsx';
import { Authors } from '../shop/authors.tsx';
import { type Book } from '../shop/books.ts';
import { Cart } from '../shop/cart.tsx';
import { StoredEvents } from '../shop/stored-events.tsx';
import { Storefront } from '../shop/storefront.tsx';
import { visitorOf } from '../shop/visitor.ts';
import '../shop/shop.css';

/** Soon enough to watch, and within the API's default limit of 50 requests a minute. */
const FLUSH_INTERVAL_MS = 2000;

/** A small shop that uses the tracker as any page would, with what became of it beside it. */
export default function Shop() {
  const [visitor] = useState(() => visitorOf(sessionStorage));
  return (
    <Page
      title="Demo shop"
      lead="It uses the tracker as any page would. Click around: what you do appears beside it as soon as it is stored."
    >
      <div className="shop-columns">
        <TrackerProvider flushIntervalMs={FLUSH_INTERVAL_MS}>
          <Paperleaf visitor={visitor} />
        </TrackerProvider>
        <StoredEvents visitor={visitor} />
      </div>
    </Page>
  );
}

function Paperleaf({ visitor }: { visitor: string }) {
  const [path] = useLocation();
  const tracker = useTracker();
  // Before the first page view, which is then the visitor's.
  useEffect(() => tracker.identify(visitor), [tracker, visitor]);
  usePageView(path);
  const [items, setItems] = useState<readonly Book[]>([]);
  const [ordered, setOrdered] = useState(false);
  const isAuthors = path === '/shop/authors';

  return (
    <article className="shop" aria-label="Paperleaf, a bookshop">
      <header className="shop-bar">
        <span className="shop-name">Paperleaf</span>
        <nav aria-label="Shop">
          <Link href="/shop" aria-current={isAuthors ? undefined : 'page'}>
            Books
          </Link>
          <Link href="/shop/authors" aria-current={isAuthors ? 'page' : undefined}>
            Authors
          </Link>
        </nav>
      </header>
      <div className="shop-content">
        <div className="shop-main">
          {isAuthors ? <Authors /> : <Storefront onAdd={(book) => setItems((last) => [...last, book])} />}
        </div>
        <Cart
          items={items}
          ordered={ordered}
          onRemove={(removed) => setItems(items.filter((_, index) => index !== removed))}
          onOrder={() => {
            setItems([]);
            setOrdered(true);
          }}
        />
      </div>
    </article>
  );
}
