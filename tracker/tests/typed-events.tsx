import { createTracker } from '../src/index.ts';

interface ShopEvents {
  add_to_cart: { sku: string };
  signed_out: { reason?: string };
}

/** Not run: what the compiler takes and what it refuses. */
export function typedEvents() {
  const tracker = createTracker<ShopEvents>();
  tracker.track('add_to_cart', { sku: '42' });
  tracker.track('signed_out');
  tracker.track('signed_out', { reason: 'idle' });
  // @ts-expect-error No such event.
  tracker.track('add_to_card', { sku: '42' });
  // @ts-expect-error It has a payload.
  tracker.track('add_to_cart');
  // @ts-expect-error A sku is a text.
  tracker.track('add_to_cart', { sku: 42 });

  const untyped = createTracker();
  untyped.track('anything');
  untyped.track('anything', { of: 'any kind' });
}
