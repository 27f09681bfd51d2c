import { Page } from '../components/page.tsx';
import { useParam } from '../paths.ts';

export default function User() {
  return <Page title={useParam('userId')}>{null}</Page>;
}
