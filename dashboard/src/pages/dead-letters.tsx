import { Page } from '../components/page.tsx';

export default function DeadLetters() {
  return <Page title="Dead letters">{null}</Page>;
}
