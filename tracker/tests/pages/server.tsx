import { version } from 'react';
import { renderToString } from 'react-dom/server';
import { createTracker } from '../../src/index.ts';
import { TrackerProvider, usePageView, useTrackEvent, useTracker, useTrackProps } from '../../src/react.tsx';

declare const console: { log(line: string): void };

function Page() {
  usePageView();
  useTrackEvent('share');
  return <button {...useTrackProps('BuyButton')}>{typeof useTracker().track}</button>;
}

const tracker = createTracker();
tracker.track('rendered');
tracker.page();
tracker.identify('user-7');
tracker.reset();
void Promise.all([tracker.flush(), tracker.close()]);

const html = renderToString(
  <TrackerProvider respectDoNotTrack>
    <Page />
  </TrackerProvider>,
);
console.log(`${version} ${html}`);
