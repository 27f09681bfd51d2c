import { type Sample, slope, takeSample } from '../soak/sample.ts';

test('the slope is that of the line through the samples', () => {
  const line = (growth: number, noise: number): Sample[] =>
    Array.from({ length: 100 }, (_, index) => ({
      minute: 10 + index / 10,
      rssMb: 200 + (growth * index) / 10 + (index % 2 === 0 ? noise : -noise),
      fds: 30,
    }));
  expect(slope(line(0, 0))).toBe(0);
  expect(slope(line(2, 0))).toBeCloseTo(2);
  expect(slope(line(-1, 20))).toBeCloseTo(-1, 0);
});

test('a sample tells what a process holds', () => {
  const { minute, rssMb, fds } = takeSample(process.pid, 3);
  expect(minute).toBe(3);
  expect(rssMb).toBeGreaterThan(10);
  expect(rssMb).toBeLessThan(10_000);
  if (process.platform === 'linux') expect(fds).toBeGreaterThan(2);
});
