DROP TABLE late_results;
DROP TABLE notifications;
