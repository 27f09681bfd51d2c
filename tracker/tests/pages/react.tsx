import { StrictMode, useState, version } from 'react';
import { createRoot } from 'react-dom/client';
import { TrackerProvider, usePageView, useTrackEvent, useTracker, useTrackProps } from '../../src/react.tsx';

interface ShopEvents {
  add_to_cart: { sku: string };
  signed_out: { reason?: string };
}

function Shop() {
  const [path, setPath] = useState('/');
  usePageView(path);
  const tracker = useTracker<ShopEvents>();
  const share = useTrackEvent('share');
  const go = () => {
    history.pushState(null, '', '/cart');
    setPath('/cart');
  };
  return (
    <>
      <button id="buy" className="big" {...useTrackProps('BuyButton', { sku: '42' })}>
        Buy <b>now</b>
      </button>
      <button id="add" onClick={() => tracker.track('add_to_cart', { sku: '42' })} />
      <button id="out" onClick={() => tracker.track('signed_out')} />
      <button id="share" onClick={() => share({ to: 'friend' })} />
      <button id="go" onClick={go} />
      <button id="flush" onClick={() => void tracker.flush()} />
    </>
  );
}

/** Two providers, one after the other, as an application has them that mounts and unmounts parts of its page. */
function App() {
  const [shown, setShown] = useState(true);
  return (
    <>
      {shown && (
        <TrackerProvider flushIntervalMs={200}>
          <Shop />
        </TrackerProvider>
      )}
      <output id="version">{version}</output>
      <button id="toggle" onClick={() => setShown(!shown)} />
    </>
  );
}

createRoot(document.querySelector('main')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
