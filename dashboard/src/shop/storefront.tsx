import { useTracker, useTrackEvent, useTrackProps } from '@event-tracker/tracker/react';
import { type MouseEvent, type SubmitEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { type Book, books, inEuro } from './books.ts';
import { Cover } from './cover.tsx';

/** The first page of the shop. */
export function Storefront({ onAdd }: { onAdd: (book: Book) => void }) {
  return (
    <>
      <Hero />
      <h3 id="shop-books">New this month</h3>
      <ul className="shop-books" aria-labelledby="shop-books">
        {books.map((book) => (
          <BookCard key={book.sku} book={book} onAdd={onAdd} />
        ))}
      </ul>
      <Newsletter />
    </>
  );
}

function Hero() {
  const [path] = useLocation();
  const trackProps = useTrackProps('Hero', { path });
  const trackSurprise = useTrackEvent('surprise');
  function choose(event: MouseEvent<HTMLButtonElement>): void {
    trackProps.onClick(event);
    const book = books[Math.floor(Math.random() * books.length)];
    if (!book) return;
    trackSurprise({ path, component: 'Hero', sku: book.sku });
    const card = document.getElementById(`book-${book.sku}`);
    card?.scrollIntoView({ block: 'center' });
    card?.querySelector('button')?.focus({ preventScroll: true });
  }
  return (
    <section className="shop-hero" aria-labelledby="shop-hero">
      <div>
        <p className="shop-kicker">The autumn table</p>
        <h2 id="shop-hero">Six books for long evenings</h2>
        <p>Chosen by people who read them to the end. Free delivery by bicycle.</p>
        <button type="button" className="shop-button" {...trackProps} onClick={choose}>
          Surprise me
        </button>
      </div>
      <div className="shop-hero-books" aria-hidden="true">
        {books.slice(0, 3).map((book) => (
          <Cover key={book.sku} book={book} />
        ))}
      </div>
    </section>
  );
}

function BookCard({ book, onAdd }: { book: Book; onAdd: (book: Book) => void }) {
  const tracker = useTracker();
  const [path] = useLocation();
  const trackProps = useTrackProps('BookCard', { path, sku: book.sku });
  return (
    <li className="shop-book" id={`book-${book.sku}`}>
      <Cover book={book} />
      <h4>{book.title}</h4>
      <p className="shop-author">{book.author}</p>
      <p>{book.blurb}</p>
      <div className="shop-buy">
        <span className="shop-price">{inEuro(book.price)}</span>
        <button
          type="button"
          className="shop-button"
          aria-label={`Add ${book.title} to the cart`}
          {...trackProps}
          onClick={(event) => {
            trackProps.onClick(event);
            tracker.track('add_to_cart', { path, component: 'BookCard', sku: book.sku, price: book.price });
            onAdd(book);
          }}
        >
          Add to cart
        </button>
      </div>
    </li>
  );
}

function Newsletter() {
  const [path] = useLocation();
  const trackSignup = useTrackEvent('newsletter_signup');
  const [done, setDone] = useState(false);
  function subscribe(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    // Who it was stays with the shop: an address has no place among events.
    trackSignup({ path, component: 'Newsletter', list: 'weekly' });
    setDone(true);
  }
  return (
    <form className="shop-newsletter" onSubmit={subscribe}>
      <div>
        <h3>A letter on Sundays</h3>
        <p>One book, one reason, no more than a page.</p>
      </div>
      {done ? (
        <p role="status">Thank you. See you on Sunday.</p>
      ) : (
        <div className="shop-newsletter-fields">
          <label htmlFor="newsletter-email">Email</label>
          <input id="newsletter-email" type="email" required autoComplete="email" />
          <button type="submit" className="shop-button">
            Subscribe
          </button>
        </div>
      )}
    </form>
  );
}
