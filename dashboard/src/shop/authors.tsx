import { useTracker } from '@event-tracker/tracker/react';
import { authors, books } from './books.ts';

/** The shop's second page. */
export function Authors() {
  const { track } = useTracker();
  return (
    <section aria-labelledby="shop-authors">
      <h2 id="shop-authors">The authors</h2>
      <ul className="shop-authors">
        {authors.map(({ name, about, color }) => (
          <li
            key={name}
            onPointerEnter={() => track('author_hovered', { component: 'Authors', author: name })}
          >
            <svg viewBox="0 0 64 64" aria-hidden="true">
              <circle cx="32" cy="32" r="32" fill={color} />
              <text x="32" y="40" textAnchor="middle" fill="#fff" className="cover-title">
                {initials(name)}
              </text>
            </svg>
            <div>
              <h3>{name}</h3>
              <p>{about}</p>
              <p className="shop-author">
                {books
                  .filter(({ author }) => author === name)
                  .map(({ title }) => title)
                  .join(' · ')}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function initials(name: string): string {
  return name
    .split(' ')
    .map((word) => word.charAt(0))
    .join('');
}
