DROP INDEX transitions_by_time;
DROP TABLE start_curves;
