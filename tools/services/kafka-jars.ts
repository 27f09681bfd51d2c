import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, install, onPath } from './find.ts';

const VERSION = '4.3.1';
/** Kafka logs through slf4j and leaves the choice of a backend open; this one writes to standard error. */
const LOGGING_VERSION = '1.7.36';
const JAVA_MIN = 17;
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';

export interface KafkaPrograms {
  java: string;
  /** The folder of Kafka's own jars and those that it needs. */
  jars: string;
}

/** Where the jars are, after `kafkaPrograms` has made sure of everything. */
export async function findKafka(): Promise<string> {
  return (await kafkaPrograms()).jars;
}

/**
 * Java, and Apache Kafka as Maven fetches it from Maven Central, or from the mirror that the user's settings name. It
 * is kept in the user's cache folder; throws one line that says what is missing.
 */
export async function kafkaPrograms(): Promise<KafkaPrograms> {
  const java = onPath('java');
  if (java === undefined) throw new Error(`Java (java) is not installed, which Kafka needs: ${install}`);
  const { stderr } = await promisify(execFile)(java, ['-version']);
  const version = Number(/version "(\d+)/.exec(stderr)?.[1]);
  if (!(version >= JAVA_MIN)) throw new Error(`Kafka needs Java ${JAVA_MIN}, and ${java} is older`);
  const jars = path.join(cacheFolder(), `kafka-${VERSION}`);
  if (!existsSync(jars)) await fetchJars(jars);
  return { java, jars };
}

/** Everything happens in a folder of its own; the rename at the end is what makes it the cache. */
async function fetchJars(folder: string): Promise<void> {
  const maven = onPath('mvn');
  if (maven === undefined) throw new Error(`Maven (mvn) is not installed, which fetches Kafka: ${install}`);
  process.stderr.write(`Preparing Apache Kafka ${VERSION}: fetching it with Maven (45 MB) ...\n`);
  await mkdir(path.dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}-`);
  try {
    await writeFile(path.join(work, 'pom.xml'), pom());
    const goal = [`${DEPENDENCY_PLUGIN}:copy-dependencies`, '-DincludeScope=runtime'];
    await promisify(execFile)(maven, ['-B', '-q', ...goal, '-DoutputDirectory=jars'], { cwd: work });
    await rename(path.join(work, 'jars'), folder).catch((error: unknown) => {
      // Another start was first.
      if (!existsSync(folder)) throw error;
    });
  } catch (error) {
    const { stdout = '', message } = error as { stdout?: string; message: string };
    const reason = stdout.split('\n').find((line) => line.includes('ERROR')) ?? message;
    throw new Error(`Kafka could not be fetched with Maven (${reason.trim()})`, { cause: error });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function pom(): string {
  const dependency = (group: string, artifact: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>event-tracker</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', VERSION)}
    ${dependency('org.slf4j', 'slf4j-simple', LOGGING_VERSION)}
  </dependencies>
</project>
`;
}
