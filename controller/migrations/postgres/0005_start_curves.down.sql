DROP TABLE start_curves;
