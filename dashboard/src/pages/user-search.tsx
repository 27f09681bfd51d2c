import { type SubmitEvent } from 'react';
import { useLocation } from 'wouter';
import { Icon } from '../components/icon.tsx';
import { userPath } from '../paths.ts';

/** Opens the page of a user. */
export function UserSearch() {
  const [, navigate] = useLocation();
  function open(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const userId = new FormData(event.currentTarget).get('user-id');
    if (typeof userId === 'string' && userId !== '') navigate(userPath(userId));
  }
  return (
    <form role="search" className="user-search" onSubmit={open}>
      <Icon name="user" />
      <input
        type="search"
        name="user-id"
        aria-label="User id"
        placeholder="User id"
        autoComplete="off"
        required
      />
      <button type="submit" className="button">
        Open
      </button>
    </form>
  );
}
