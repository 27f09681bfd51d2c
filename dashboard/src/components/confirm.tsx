import { type ReactNode, useEffect, useId, useRef } from 'react';
import './confirm.css';

interface ConfirmProps {
  title: string;
  /** What will happen. */
  children: ReactNode;
  /** What the button does, as a verb. */
  action: string;
  isDanger?: boolean;
  onConfirm: () => void;
  onCancel: () => void;
}

/** Asks before something is done to much, or for good. The browser keeps the focus inside, and Escape is Cancel. */
export function Confirm({ title, children, action, isDanger = false, onConfirm, onCancel }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} className="confirm" aria-labelledby={id} onCancel={onCancel}>
      <h2 id={id}>{title}</h2>
      {children}
      <div className="buttons">
        <button type="button" className="button" autoFocus onClick={onCancel}>
          Cancel
        </button>
        <button type="button" className={isDanger ? 'button danger' : 'button primary'} onClick={onConfirm}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
