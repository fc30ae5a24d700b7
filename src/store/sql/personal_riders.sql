select forename, surname, name, street, town from rider
