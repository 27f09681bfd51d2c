# Shortcuts for Docker Compose. What runs is what .env says; without one, the first target that needs it writes one for
# PARTS, with passwords of its own.
#
#   kafka     Kafka and PostgreSQL, with Adminer
#   mysql     RabbitMQ and MySQL
#   default   RabbitMQ and MongoDB
PARTS ?= kafka

ifneq ($(wildcard .env),)
ifeq ($(origin PARTS),command line)
$(error .env is there already and says which parts run: edit it, or remove it and run `make deploy PARTS=$(PARTS)`)
endif
endif

UP = docker compose up --build --detach --wait
# Of all profiles, so that nothing of another one is left over.
COMPOSE_ALL = docker compose --profile '*'

.PHONY: help deploy up down clean logs ps user-tracking-topic

help:
	@echo 'make deploy                make clean, then make up'
	@echo 'make up                    build and start everything, and wait until it is healthy'
	@echo 'make down                  stop and remove the containers; data stays'
	@echo 'make clean                 the same, and all data is lost'
	@echo 'make logs                  follow the logs of everything'
	@echo 'make ps                    what runs, and whether it is healthy'
	@echo 'make user-tracking-topic   create the Kafka topic user-tracking-events, if it is not there'
	@echo
	@echo 'It runs on the parts that .env names. Without .env: Kafka and PostgreSQL, or PARTS=mysql for RabbitMQ and'
	@echo 'MySQL, or PARTS=default for RabbitMQ and MongoDB.'

deploy: clean
	$(UP)

up: .env
	$(UP)

down: .env
	$(COMPOSE_ALL) down --remove-orphans

clean: .env
	$(COMPOSE_ALL) down --remove-orphans --volumes

logs: .env
	docker compose logs --follow --tail 200

ps: .env
	docker compose ps --all

# The API and the worker create their topic by themselves; this is for whoever wants it before they start.
user-tracking-topic: .env
	docker compose exec kafka /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 \
		--create --if-not-exists --topic user-tracking-events --partitions 6 --replication-factor 1

define ENV_default
RABBITMQ_PASSWORD=<password>
MONGO_PASSWORD=<password>
endef

define ENV_mysql
$(ENV_default)
COMPOSE_PROFILES=mysql
MONGO_SCALE=0
MYSQL_PASSWORD=<password>
STORE_URL=mysql://event_tracker:<password>@mysql:3306/activity_db
endef

define ENV_kafka
$(ENV_default)
COMPOSE_PROFILES=kafka
MONGO_SCALE=0
RABBITMQ_SCALE=0
POSTGRES_PASSWORD=<password>
QUEUE_NAME=user-tracking-events
QUEUE_URL=kafka://kafka:9092
STORE_URL=postgres://event_tracker:<password>@postgres:5432/activity_db
endef

# Only its owner may read it. The parts that are reached by these passwords listen inside Compose's network only.
.env: export ENV_LINES = $(ENV_$(PARTS))
.env:
	$(if $(ENV_LINES),,$(error PARTS is kafka, mysql or default, not $(PARTS)))
	@umask 077 && password=$$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n') && \
		printf '%s\n' "$$ENV_LINES" | sed "s/<password>/$$password/" > .env
	@echo "Wrote .env for PARTS=$(PARTS); env.example lists what else may stand in it."
