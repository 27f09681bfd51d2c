import { Component, type ReactNode } from 'react';
import { Icon } from './icon.tsx';

/** Keeps a fault of one page to that page, such as its code that did not arrive because the API is away. */
export class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <div className="notice" role="alert" data-tone="bad">
        <Icon name="warning" />
        <p>
          <strong>This page could not be shown.</strong> The API may be away, or the dashboard was updated.
        </p>
        <button type="button" className="button" onClick={() => location.reload()}>
          Load it again
        </button>
      </div>
    );
  }
}
