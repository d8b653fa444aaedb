DROP INDEX hosts_by_controller;
ALTER TABLE hosts DROP COLUMN session_epoch;
ALTER TABLE hosts DROP COLUMN controller_id;
DROP TABLE leases;
DROP TABLE controllers;
