import { useTracker } from '@event-tracker/tracker/react';
import { useLocation } from 'wouter';
import { type Book, inEuro } from './books.ts';

interface Props {
  items: readonly Book[];
  ordered: boolean;
  onRemove: (index: number) => void;
  onOrder: () => void;
}

export function Cart({ items, ordered, onRemove, onOrder }: Props) {
  const tracker = useTracker();
  const [path] = useLocation();
  const total = items.reduce((sum, { price }) => sum + price, 0);
  return (
    <section className="shop-cart" aria-labelledby="shop-cart">
      <h2 id="shop-cart">Your cart</h2>
      {items.length === 0 && (
        <p role="status">{ordered ? 'Ordered. The bicycle is on its way.' : 'Nothing in it yet.'}</p>
      )}
      <ul>
        {items.map((book, index) => (
          // The same book may be in the cart more than once.
          <li key={index}>
            <span>{book.title}</span>
            <span className="shop-price">{inEuro(book.price)}</span>
            <button
              type="button"
              className="shop-link"
              aria-label={`Remove ${book.title}`}
              onClick={() => {
                tracker.track('remove_from_cart', { path, component: 'Cart', sku: book.sku });
                onRemove(index);
              }}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      {items.length > 0 && (
        <div className="shop-total">
          <strong>{inEuro(total)}</strong>
          <button
            type="button"
            className="shop-button"
            onClick={() => {
              tracker.track('order_placed', { path, component: 'Cart', total, items: items.length });
              onOrder();
            }}
          >
            Order
          </button>
        </div>
      )}
    </section>
  );
}
