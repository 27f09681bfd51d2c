import { type ReactNode } from 'react';

interface PageProps {
  title: string;
  /** What the reader sees here, in a sentence. */
  lead?: ReactNode;
  /** Controls beside the title. */
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, lead, actions, children }: PageProps) {
  return (
    <div className="page">
      <title>{`${title} · Event Tracker`}</title>
      <div className="page-head">
        <div className="page-title">
          <h1>{title}</h1>
          {lead !== undefined && <p className="lead">{lead}</p>}
        </div>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </div>
  );
}
