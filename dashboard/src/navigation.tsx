import { useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { forgetKey, useKeyState } from './admin-key.ts';
import { Icon, type IconName } from './components/icon.tsx';

interface Item {
  path: string;
  name: string;
  icon: IconName;
}

const watch: Item[] = [
  { path: '/', name: 'Overview', icon: 'overview' },
  { path: '/live', name: 'Live', icon: 'live' },
  { path: '/users', name: 'Users', icon: 'user' },
  { path: '/pipeline', name: 'Pipeline', icon: 'pipeline' },
  { path: '/dead-letters', name: 'Dead letters', icon: 'dead-letters' },
];
const tryOut: Item[] = [
  { path: '/send', name: 'Send an event', icon: 'send' },
  { path: '/shop', name: 'Demo shop', icon: 'shop' },
];

export function Navigation() {
  const [location] = useLocation();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [location]);

  return (
    <header className="side">
      <SkipLink />
      <div className="side-inner" data-open={isOpen}>
        <div className="side-head">
          <Link href="/" className="brand">
            <Icon name="brand" />
            Event Tracker
          </Link>
          <button
            type="button"
            className="button quiet menu-button"
            aria-expanded={isOpen}
            aria-controls="navigation"
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name="menu" />
            Menu
          </button>
        </div>
        <nav id="navigation" aria-label="Pages">
          <Items items={watch} location={location} />
          <h2 className="nav-heading">Try it out</h2>
          <Items items={tryOut} location={location} />
          <ForgetKey />
        </nav>
      </div>
    </header>
  );
}

/** Moves the focus only; a link to `#content` would be another page here. */
function SkipLink() {
  return (
    <a
      href="#content"
      className="skip-link"
      onClick={(event) => {
        event.preventDefault();
        document.getElementById('content')?.focus();
      }}
    >
      Skip to the content
    </a>
  );
}

function Items({ items, location }: { items: Item[]; location: string }) {
  return (
    <ul className="nav-list">
      {items.map(({ path, name, icon }) => {
        const isCurrent = location === path || (path !== '/' && location.startsWith(`${path}/`));
        return (
          <li key={path}>
            <Link href={path} className="nav-link" aria-current={isCurrent ? 'page' : undefined}>
              <Icon name={icon} />
              {name}
            </Link>
          </li>
        );
      })}
    </ul>
  );
}

function ForgetKey() {
  const { key } = useKeyState();
  if (key === '') return null;
  return (
    <button type="button" className="nav-link nav-end" onClick={forgetKey}>
      <Icon name="key" />
      Forget the admin key
    </button>
  );
}
